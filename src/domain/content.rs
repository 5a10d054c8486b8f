//! What lies in a registry: the grammar of repository names, tags and digests, and how a manifest is read.
//! Must not know: where content is stored, who may see it.
