//! Reports: two live listeners (screen, log) and pure renders of a record.
