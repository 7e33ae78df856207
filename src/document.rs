//! The document of an n8n workflow: reading it ([`parse`]), its model ([`definition`]), its digest ([`canonical`]), where things stand in it
//! ([`json_path`], [`positions`]), what it calls and what calls it ([`references`], [`triggers`], [`endpoints`], [`routes`]), ids that the author left out
//! ([`derive`]), and writing it ([`yaml`]). Pure.

pub mod canonical;
pub mod definition;
pub mod derive;
pub mod difference;
pub mod endpoints;
pub mod finding;
pub mod javascript;
pub mod json_path;
pub mod lenient_json;
pub mod node_types;
pub mod odd_paths;
pub mod parse;
pub mod positions;
pub mod references;
pub mod routes;
pub mod triggers;
pub mod yaml;
