//! stub until the keys branch is merged
use super::Cx;
use crate::domain::Result;
use crate::domain::key::{Key, Operation, Version};
use crate::domain::vault::Vault;
pub struct Handle {
    pub version: Version,
}
impl Handle {
    pub fn run(&self, _a: &str, _v: &[u8]) -> Result<Vec<u8>> {
        Ok(vec![])
    }
}
pub async fn authorize(
    _cx: &mut Cx,
    _vault: &str,
    _key: &str,
    _version: Option<&str>,
    _operation: Operation,
) -> Result<Handle> {
    todo!()
}
pub async fn get(_cx: &mut Cx, _vault: &str, _key: &str, _version: Option<&str>) -> Result<(Vault, Key, Version)> {
    todo!()
}
pub async fn of_vault(_cx: &mut Cx, _vault: &Vault) -> Result<Vec<(Key, Vec<Version>)>> {
    Ok(vec![])
}
