//! The document of an n8n workflow: reading it ([`parse`]), its model ([`definition`]), its digest ([`canonical`]), paths and positions in
//! it ([`json_path`], [`positions`]), the workflows that it calls and its entry points ([`references`], [`triggers`], [`endpoints`],
//! [`routes`]), derivation of missing ids ([`derive`]), and writing it ([`yaml`]). Pure.

pub mod canonical;
pub mod definition;
pub mod derive;
pub mod difference;
pub mod endpoints;
pub mod finding;
pub mod inline;
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
