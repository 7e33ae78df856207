//! Standard output.

use std::io::{self, Write};

/// Writes a text. The reader of the output may have closed it early, as `head` does; that is no error.
///
/// # Errors
/// If the output cannot be written to.
pub fn write(text: &str) -> io::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
