//! The durable truth: documents, roots and tasks. The only module that speaks SQL; the embedded
//! backend is SQLite, PostgreSQL takes the same seam.
