//! The functions that take a lambda: `map`, `filter`, `reduce`, `sort`, `toObject`, `groupBy`, `mapValues`.
//! Must not know: how an expression is evaluated.

use serde_json::{Map, Value, json};

use super::eval::{Eval, Result, fail};
use super::functions;
use super::scope::size_of_value;
use super::syntax::Expr;
use super::values::{Object, boolean, list, object, text};
use crate::domain::world::json::{self, VALUE};

struct Lambda {
    names: Vec<String>,
    body: Expr,
}

impl Eval<'_> {
    pub(super) fn with_lambda(&mut self, lower: &str, name: &str, arguments: &[Expr]) -> Result {
        let (fewest, most) = match lower {
            "reduce" => (3, 3),
            "toobject" => (2, 3),
            _ => (2, 2),
        };
        functions::check_count(name, arguments.len(), fewest, most)?;
        let over = self.expr(&arguments[0])?;
        let last = self.lambda(name, &arguments[fewest - 1])?;
        match lower {
            "mapvalues" => {
                self.hold(VALUE)?;
                let mut made = Map::new();
                for (key, value) in object(&over)? {
                    self.hold(json::entry(made.len(), key))?;
                    let value = self.copy(value)?;
                    made.insert(key.clone(), self.apply(&last, vec![value])?);
                }
                Ok(Value::Object(made))
            }
            "map" | "filter" => self.mapped(list(&over)?, &last, lower == "filter"),
            "reduce" => {
                let before = self.held();
                let mut sum = self.expr(&arguments[1])?;
                for (index, item) in list(&over)?.iter().enumerate() {
                    let item = self.copy(item)?;
                    sum = self.apply(&last, vec![sum, item, json!(index)])?;
                    self.settle(before + size_of_value(&sum)?)?;
                }
                Ok(sum)
            }
            "sort" => {
                let items = self.copy(&over)?;
                list(&items)?;
                let Value::Array(items) = items else { return Ok(items) };
                self.sorted(items, &last).map(Value::Array)
            }
            _ => {
                let value = arguments.get(2).map(|a| self.lambda(name, a)).transpose()?;
                self.grouped(list(&over)?, &last, value.as_ref(), lower == "groupby")
            }
        }
    }

    fn mapped(&mut self, items: &[Value], by: &Lambda, filter: bool) -> Result {
        self.hold(VALUE)?;
        let mut made = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let before = self.held();
            let given = self.copy(item)?;
            let value = self.apply(by, vec![given, json!(index)])?;
            if !filter {
                self.settle(before + size_of_value(&value)?)?;
                made.push(value);
                continue;
            }
            self.settle(before)?;
            if boolean(&value)? {
                made.push(self.copy(item)?);
            }
        }
        Ok(Value::Array(made))
    }

    /// An object of the items, or of groups of them, by what a lambda makes of each.
    fn grouped(&mut self, items: &[Value], key: &Lambda, value: Option<&Lambda>, groups: bool) -> Result {
        let mut made = Object::new();
        let before = self.held();
        for item in items {
            let given = self.copy(item)?;
            let key = self.apply(key, vec![given])?;
            let made_of = match value {
                Some(value) => {
                    let given = self.copy(item)?;
                    &self.apply(value, vec![given])?
                }
                None => item,
            };
            if groups {
                made.group(text(&key)?, made_of)?;
            } else {
                made.put(text(&key)?, made_of)?;
            }
            self.settle(before)?;
        }
        Ok(made.done())
    }

    /// A merge sort: the standard one may panic where the lambda is no order.
    fn sorted(&mut self, mut items: Vec<Value>, less: &Lambda) -> Result<Vec<Value>> {
        if items.len() < 2 {
            return Ok(items);
        }
        let right = items.split_off(items.len() / 2);
        let mut left = self.sorted(items, less)?.into_iter().peekable();
        let mut right = self.sorted(right, less)?.into_iter().peekable();
        let mut merged = Vec::new();
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            let before = self.held();
            let pair = vec![self.copy(b)?, self.copy(a)?];
            let takes_right = boolean(&self.apply(less, pair)?)?;
            self.settle(before)?;
            merged.extend(if takes_right { right.next() } else { left.next() });
        }
        merged.extend(left);
        merged.extend(right);
        Ok(merged)
    }

    fn lambda(&mut self, function: &str, argument: &Expr) -> Result<Lambda> {
        let parts = match argument {
            Expr::Call(name, parts) if name.eq_ignore_ascii_case("lambda") => parts.split_last(),
            _ => None,
        };
        let Some((body, names)) = parts else {
            return fail(format!("Unable to evaluate template language function '{function}': a lambda is expected"));
        };
        let names = names.iter().map(|name| self.expr(name)).collect::<Result<Vec<_>>>()?;
        let names = names.iter().map(|n| text(n).map(str::to_owned)).collect::<std::result::Result<_, _>>()?;
        Ok(Lambda { names, body: body.clone() })
    }

    /// What a lambda makes of values, which are held already.
    fn apply(&mut self, lambda: &Lambda, values: Vec<Value>) -> Result {
        let before = self.locals.len();
        self.locals.extend(lambda.names.iter().cloned().zip(values));
        let done = self.expr(&lambda.body);
        self.locals.truncate(before);
        done
    }
}
