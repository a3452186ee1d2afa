//! Posting, summing and the guards of the database, on a real `PostgreSQL`.

mod guards;
mod post;
