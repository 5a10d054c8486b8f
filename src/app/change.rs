//! A change from its gate to its commit, all in one transaction: what it writes back was read there, and nowhere else.
//! Slow work (RSA) is done between two attempts at the change, and counts only if the second still asks for it.
//! Must not know: what is changed.

use std::any::Any;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use crate::app::directory::tokens;
use crate::app::world::work;
use crate::app::{App, Cx, access};
use crate::domain::access::Caller;
use crate::domain::audit::Call;
use crate::domain::{Error, Result};

/// Attempts at a change. Each after the second means that somebody else changed what the slow work was made from,
/// although it was this change's turn: the poller can, once an hour.
const ATTEMPTS: usize = 8;

/// One attempt at a change.
pub type Attempt<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Somebody whose request was let in, and by what. Its body took its time to come: the principal, its groups and its
/// rights may have gone meanwhile.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Who asks.
    pub caller: Caller,
    /// Actions of resource management and the scopes they were required at. Vaults and the directory have gates of
    /// their own, in their verbs.
    pub rights: Vec<(String, String)>,
}

impl Admission {
    /// Somebody whom the verbs ask for rights themselves.
    #[must_use]
    pub fn of(caller: &Caller) -> Self {
        Self { caller: caller.clone(), rights: Vec::new() }
    }
}

type Answer = Arc<dyn Any + Send + Sync>;

/// Slow work that an attempt could not go on without.
struct Work {
    thing: String,
    question: String,
    run: Box<dyn FnOnce() -> Result<Answer> + Send>,
}

/// What a change keeps beside its transaction, from one attempt to the next.
#[derive(Default)]
pub(in crate::app) struct Aside {
    done: HashMap<String, Answer>,
    wanted: Option<Work>,
    calls: Vec<Call>,
}

impl std::fmt::Debug for Aside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aside").field("done", &self.done.keys()).finish_non_exhaustive()
    }
}

impl App {
    /// A context that writes, after a look whether the request would still be let in.
    pub async fn write_for(self: &Arc<Self>, admission: &Admission) -> Result<Cx> {
        let mut cx = self.write(admission.caller.clone()).await?;
        cx.caller = tokens::again(&mut cx, &admission.caller).await?;
        for (action, scope) in &admission.rights {
            access::require(&mut cx, action, scope).await?;
        }
        Ok(cx)
    }

    /// Makes a change and commits it. `verb` may be called several times, each time in a new transaction; where it
    /// asks for slow work ([`Cx::aside`]), that is done after its transaction was taken back, and it is called again.
    pub async fn change<I: Sync, T>(
        self: &Arc<Self>,
        admission: &Admission,
        asked: &I,
        verb: impl for<'a> Fn(&'a mut Cx, &'a I) -> Attempt<'a, T> + Send + Sync,
    ) -> Result<T> {
        let mut done = HashMap::new();
        let mut turn = None;
        for _ in 0..ATTEMPTS {
            let mut cx = self.write_for(admission).await?;
            cx.aside = Some(Aside { done, ..Aside::default() });
            let outcome = verb(&mut cx, asked).await;
            let aside = cx.aside.take().unwrap_or_default();
            let Some(Work { thing, question, run }) = aside.wanted else {
                aside.calls.into_iter().for_each(|call| self.audit.call(call));
                let changed = outcome?;
                cx.commit().await?;
                return Ok(changed);
            };
            drop(cx);
            if turn.is_none() {
                turn = Some(self.turns.take(&thing).await);
            }
            done = aside.done;
            done.insert(question, work::run(run).await??);
        }
        Err(Error::Internal(format!("{ATTEMPTS} times others changed what this request was to change")))
    }
}

impl Cx {
    /// The answer to a question that takes long to find, from what the question holds alone. Where it was not found
    /// before, the attempt at the change ends here: its transaction is not to wait. `thing` is what is changed: work
    /// for one thing is done by one request at a time.
    pub(in crate::app) fn aside<T: Clone + Send + Sync + 'static>(
        &mut self,
        thing: &str,
        question: &str,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let Some(aside) = &mut self.aside else {
            return Err(Error::Internal(format!("no change is being made that could wait for '{question}'")));
        };
        if let Some(answer) = aside.done.get(question) {
            let answer = answer.downcast_ref::<T>().cloned();
            return answer.ok_or_else(|| Error::Internal(format!("'{question}' has an answer of another kind")));
        }
        let run = Box::new(move || work().map(|answer| Arc::new(answer) as Answer));
        aside.wanted = Some(Work { thing: thing.to_owned(), question: question.to_owned(), run });
        Err(Error::Internal(format!("'{question}' is to be answered first")))
    }

    /// Tells the audit log of a call inside the emulator; of an attempt that is made again, nothing.
    pub(in crate::app) fn audit(&mut self, call: Call) {
        match &mut self.aside {
            Some(aside) => aside.calls.push(call),
            None => self.app.audit.call(call),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::{Value, json};
    use tokio::runtime::Handle;

    use super::*;
    use crate::app::resources::groups;
    use crate::app::resources::groups::Group;
    use crate::app::testbed::Bed;
    use crate::domain::directory::identity::PrincipalKind;
    use crate::domain::error::AccessError;
    use crate::domain::world::name;
    use crate::domain::world::well_known;

    fn me() -> Admission {
        Admission::of(&Caller::system())
    }

    async fn tag(cx: &mut Cx, value: impl Into<Value>) -> Result<Group> {
        Ok(groups::put(cx, "g", Some("eastus"), Some(json!({"tag": value.into()}))).await?.0)
    }

    async fn tagged(app: &Arc<App>) -> Value {
        let mut cx = app.read(Caller::system()).await.unwrap();
        groups::get(&mut cx, "g").await.map_or(Value::Null, |group| group.tags["tag"].clone())
    }

    /// What somebody else does while slow work is done.
    fn tag_meanwhile(app: &Arc<App>, value: usize) {
        Handle::current().block_on(async {
            let mut cx = app.write(Caller::system()).await.unwrap();
            tag(&mut cx, value).await.unwrap();
            cx.commit().await.unwrap();
        });
    }

    #[tokio::test]
    async fn slow_work_is_done_once_and_outside_of_the_transaction() {
        let bed = Bed::new().await;
        let attempts = AtomicUsize::new(0);
        let (me, asked) = (me(), (&bed.app, &attempts));
        let changed = bed.app.change(&me, &asked, |cx, (app, attempts)| {
            Box::pin(async move {
                attempts.fetch_add(1, Ordering::Relaxed);
                let app = (*app).clone();
                // It can write itself: nobody holds the lock.
                let answer = cx.aside("thing", "what?", move || {
                    tag_meanwhile(&app, 0);
                    Ok(42)
                })?;
                tag(cx, answer).await
            })
        });
        assert_eq!(changed.await.unwrap().tags["tag"], 42);
        assert_eq!(tagged(&bed.app).await, 42);
        assert_eq!(attempts.into_inner(), 2);
    }

    #[tokio::test]
    async fn an_answer_counts_only_for_the_question_it_was_found_for() {
        let bed = Bed::new().await;
        tag_once(&bed.app, 0).await;
        let attempts = AtomicUsize::new(0);
        // The question comes from what is there; somebody else changes that while it is answered, twice.
        let (me, asked) = (me(), (&bed.app, &attempts));
        let changed = bed.app.change(&me, &asked, |cx, (app, attempts)| {
            Box::pin(async move {
                attempts.fetch_add(1, Ordering::Relaxed);
                let app = (*app).clone();
                let now = groups::get(cx, "g").await?.tags["tag"].as_u64().unwrap();
                let now = usize::try_from(now).unwrap();
                let answer = cx.aside("thing", &format!("what of {now}?"), move || {
                    if now < 2 {
                        tag_meanwhile(&app, now + 1);
                    }
                    Ok(format!("answer to {now}"))
                })?;
                tag(cx, answer).await
            })
        });
        assert_eq!(changed.await.unwrap().tags["tag"], "answer to 2");
        assert_eq!(attempts.into_inner(), 4);
    }

    #[tokio::test]
    async fn a_change_that_never_gets_its_answer_gives_up_and_leaves_nothing() {
        let bed = Bed::new().await;
        let attempts = AtomicUsize::new(0);
        let me = me();
        let changed = bed.app.change(&me, &attempts, |cx, attempts| {
            Box::pin(async move {
                tag(cx, "half").await?;
                let attempt = attempts.fetch_add(1, Ordering::Relaxed);
                cx.aside("thing", &format!("what at attempt {attempt}?"), || Ok(()))
            })
        });
        assert!(matches!(changed.await, Err(Error::Internal(_))));
        assert_eq!(attempts.into_inner(), ATTEMPTS);
        assert_eq!(tagged(&bed.app).await, Value::Null);
        // Outside of a change there is nobody to answer.
        let mut cx = bed.app.write(Caller::system()).await.unwrap();
        assert!(matches!(cx.aside("thing", "what?", || Ok(1)), Err(Error::Internal(_))));
    }

    #[tokio::test]
    async fn a_right_that_goes_while_slow_work_is_done_is_asked_for_again() {
        let bed = Bed::new().await;
        tag_once(&bed.app, "before").await;
        let person = bed.person(json!({})).await;
        let scope = name::group_id("g");
        let role = bed.role(&person, well_known::ROLE_OWNER, &scope).await;
        let caller = Caller {
            object_id: person.object_id.clone(),
            app_id: person.app_id.clone(),
            kind: PrincipalKind::Application,
            ..Caller::system()
        };
        let action = "Microsoft.Resources/subscriptions/resourceGroups/write".to_owned();
        let admission = Admission { caller, rights: vec![(action, scope.clone())] };
        let slowly = |cx: &mut Cx, taken: Option<(Arc<App>, String, String)>| {
            cx.aside("thing", "what?", move || {
                if let Some((app, role, scope)) = taken {
                    Handle::current().block_on(async {
                        let mut cx = app.write(Caller::system()).await.unwrap();
                        crate::store::access::delete(&mut cx.tx, &scope, &role).await.unwrap();
                        cx.commit().await.unwrap();
                    });
                }
                Ok(())
            })
        };
        let go = async |taken: Option<(Arc<App>, String, String)>| {
            let asked = (taken, slowly);
            let verb = bed.app.change(&admission, &asked, |cx, (taken, slowly)| {
                Box::pin(async move {
                    slowly(cx, taken.clone())?;
                    tag(cx, taken.is_some()).await
                })
            });
            verb.await
        };
        assert!(go(None).await.is_ok());
        let refused = go(Some((bed.app.clone(), role, scope))).await;
        assert!(matches!(refused, Err(Error::Access(why)) if matches!(*why, AccessError::Action { .. })));
        assert_eq!(tagged(&bed.app).await, false);
    }

    async fn tag_once(app: &Arc<App>, value: impl Into<Value>) {
        let mut cx = app.write(Caller::system()).await.unwrap();
        tag(&mut cx, value).await.unwrap();
        cx.commit().await.unwrap();
    }
}
