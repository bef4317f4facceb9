//! From a folder or posted documents to the store, and from the store to the indexes.
