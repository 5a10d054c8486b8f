//! The functions over names and facts: parameters, variables, ids, where the template is deployed, and what the running
//! cloud is asked.
//! Must not know: how an expression is evaluated.

use serde_json::{Value, json};

use super::budget::Spent;
use super::eval::{Eval, Result, copied, fail, is_list_action, unknown_function};
use super::scope::{Need, Scope, Stop, Target, size_of_value};
use super::values::{find, get, int, shown, text};
use super::{functions, ids};
use crate::domain::world::json::{self, VALUE};

impl<'a> Eval<'a> {
    /// Functions over names and facts; the rest follow from their arguments alone.
    pub(super) fn named(&mut self, lower: &str, name: &str, a: &[Value]) -> Result {
        let counted = |fewest, most| functions::check_count(name, a.len(), fewest, most).map_err(Stop::Fail);
        let scope: &'a Scope = self.scope;
        let facts = &scope.facts;
        match lower {
            "parameters" => {
                counted(1, 1)?;
                let wanted = text(&a[0])?;
                match find(self.arguments.as_ref().unwrap_or(&scope.parameters), wanted) {
                    Some(value) => copied(&mut self.held, value),
                    None => fail(format!(
                        "The template parameter '{wanted}' is not found. Please see https://aka.ms/arm-syntax-parameters for usage details"
                    )),
                }
            }
            "variables" => {
                counted(1, 1)?;
                let wanted = text(&a[0])?;
                match find(&scope.variables, wanted) {
                    Some(value) => self.copy(value),
                    None => fail(format!(
                        "The template variable '{wanted}' is not found. Please see https://aka.ms/arm-syntax-variables for usage details"
                    )),
                }
            }
            "copyindex" => {
                counted(0, 2)?;
                self.copy_index(a)
            }
            "subscription" | "resourcegroup" | "tenant" | "deployment" | "environment" | "deployer" => {
                counted(0, 0)?;
                self.fact(lower, name)
            }
            "resourceid" => Ok(json!(ids::resource_id(a, facts.group["name"].as_str())?)),
            "subscriptionresourceid" => Ok(json!(ids::subscription_resource_id(a)?)),
            "tenantresourceid" => Ok(json!(ids::tenant_resource_id(a)?)),
            "managementgroupresourceid" => Ok(json!(ids::management_group_resource_id(a)?)),
            "extensionresourceid" => Ok(json!(ids::extension_resource_id(a)?)),
            "resourceinfo" => {
                counted(1, 1)?;
                let target = self.target(text(&a[0])?, None)?;
                let (kind, name) = ids::split(&target.id).unwrap_or_default();
                Ok(json!({"id": target.id, "type": kind, "name": name, "apiVersion": target.api_version}))
            }
            "reference" => {
                counted(1, 3)?;
                let target = self.target(text(&a[0])?, a.get(1).and_then(Value::as_str))?;
                let full = a.get(2).and_then(Value::as_str).is_some_and(|f| f.eq_ignore_ascii_case("full"));
                self.refer(target, full)
            }
            "references" => {
                counted(1, 2)?;
                let wanted = text(&a[0])?;
                let Some(targets) = scope.loops.get(&wanted.to_ascii_lowercase()) else {
                    return fail(format!("The resource loop '{wanted}' is not defined in the template"));
                };
                let full = a.get(1).and_then(Value::as_str).is_some_and(|f| f.eq_ignore_ascii_case("full"));
                self.hold(VALUE)?;
                let all = targets.iter().map(|target| self.refer(target.clone(), full));
                Ok(Value::Array(all.collect::<Result<_>>()?))
            }
            _ => match functions::call(name, a) {
                Some(done) => Ok(done?),
                None if is_list_action(name) => {
                    counted(1, 3)?;
                    let target = self.target(text(&a[0])?, a.get(1).and_then(Value::as_str))?;
                    let input = a.get(2).filter(|v| !v.is_null()).map(input_text).transpose()?;
                    let Target { id, api_version } = target;
                    let answer = self.ask(name, Need { action: Some(name.to_owned()), id, api_version, input })?;
                    self.copy(answer)
                }
                None => fail(unknown_function(name)),
            },
        }
    }

    /// A fact about where the template is deployed.
    fn fact(&mut self, lower: &str, name: &str) -> Result {
        let scope: &'a Scope = self.scope;
        let facts = &scope.facts;
        let fact = match lower {
            "subscription" => &facts.subscription,
            "resourcegroup" => &facts.group,
            "tenant" => &facts.tenant,
            "deployment" => &facts.deployment,
            "environment" => &facts.environment,
            _ => &facts.deployer,
        };
        if fact.is_null() {
            return fail(format!("The template function '{name}' is not expected at this location"));
        }
        let mut fact = self.copy(fact)?;
        if lower == "deployment" {
            for (member, kept) in [("template", &facts.template), ("parameters", &facts.parameters)] {
                let Some(kept) = kept else { continue };
                self.burn(kept.len())?;
                let left = scope.budget.left();
                let value = json::read(kept.as_bytes(), left).map_err(|_| Spent)?;
                self.hold(size_of_value(&value)?)?;
                fact["properties"][member] = value;
            }
        }
        Ok(fact)
    }

    fn refer(&mut self, target: Target, full: bool) -> Result {
        let Target { id, api_version } = target;
        let need = Need { action: None, id: id.clone(), api_version: api_version.clone(), input: None };
        let whole = self.ask("reference", need)?;
        if !full {
            return self.copy(get(whole, "properties").unwrap_or(&Value::Null));
        }
        let mut whole = self.copy(whole)?;
        whole["apiVersion"] = json!(api_version);
        whole["resourceId"] = json!(id);
        Ok(whole)
    }

    /// What `reference` and `list…` are about: an id, or the name of a resource of the template.
    fn target(&self, name: &str, api_version: Option<&str>) -> Result<Target> {
        let known = self.scope.resources.get(&name.trim_end_matches('/').to_ascii_lowercase());
        match (known, api_version) {
            (Some(target), Some(version)) => Ok(Target { api_version: version.to_owned(), ..target.clone() }),
            (Some(target), None) => Ok(target.clone()),
            (None, Some(version)) if name.starts_with('/') => {
                Ok(Target { id: name.to_owned(), api_version: version.to_owned() })
            }
            _ => fail(format!(
                "The resource '{name}' is not defined in the template. Please see https://aka.ms/arm-syntax for usage details"
            )),
        }
    }

    fn ask(&self, function: &str, need: Need) -> Result<&'a Value> {
        match self.known {
            None => fail(format!("The template function '{function}' is not expected at this location")),
            Some(known) => known.get(&need).ok_or(Stop::Need(need)),
        }
    }

    fn copy_index(&self, a: &[Value]) -> Result {
        let (name, offset) = match a {
            [] => (None, 0),
            [Value::String(name)] => (Some(name.as_str()), 0),
            [offset] => (None, int(offset)?),
            [name, offset, ..] => (Some(text(name)?), int(offset)?),
        };
        let frame = match name {
            Some(name) => self.copies.iter().rev().find(|(n, _)| n.eq_ignore_ascii_case(name)),
            // Without a name it is the loop of the resource, the outermost.
            None => self.copies.first(),
        };
        match frame {
            Some((_, index)) => match index.checked_add(offset) {
                Some(sum) => Ok(json!(sum)),
                None => fail("the result is not a 64-bit integer"),
            },
            None => fail(
                "The template function 'copyIndex' is not expected at this location. The function can only be used in a resource with copy specified",
            ),
        }
    }
}

/// The body of a list action.
fn input_text(input: &Value) -> Result<String> {
    match input {
        Value::Array(_) | Value::Object(_) => Ok(shown(input)?),
        plain => Ok(plain.to_string()),
    }
}
