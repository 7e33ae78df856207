//! The stand-in is held to what n8n does.
