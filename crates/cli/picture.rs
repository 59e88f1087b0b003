//! Shows small pictures in the terminal.

use crate::terminal::notes;

/// A picture of ink (255) on paper (0) as lines of text, two characters per pixel: in
/// colour if stdout shows colours, as characters of different density otherwise.
pub fn for_terminal(pixels: &[u8], width: usize) -> String {
    let coloured = notes::has_colours(&std::io::stdout());
    let mut text = String::new();
    for row in pixels.chunks(width) {
        for &p in row {
            if coloured {
                // 24 greys, from 232 (black) to 255 (white).
                text.push_str(&format!("\x1b[48;5;{}m  ", 232 + u16::from(p) * 23 / 255));
            } else {
                const RAMP: &[u8; 10] = b" .:-=+*#%@";
                let c = char::from(RAMP[usize::from(p) * (RAMP.len() - 1) / 255]);
                text.extend([c, c]);
            }
        }
        text.push_str(if coloured { "\x1b[0m\n" } else { "\n" });
    }
    text
}
