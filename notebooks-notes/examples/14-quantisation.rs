//! A block of 32 weights, rounded.

use m2g_core::BlockFormat;

/// Rounds four weights of a block to 8 and to 4 bits, and prints what comes back.
fn main() {
    println!("# A block of 32 weights, rounded");
    let mut w = [0.0_f32; 32];
    (w[0], w[1], w[2], w[16]) = (-4.0, 1.0, 0.26, 3.9);
    for format in [BlockFormat::Q8_0, BlockFormat::Q4_0] {
        let (mut bytes, mut back) = (Vec::new(), [0.0_f32; 32]);
        format.quantise(&w, &mut bytes);
        format.dequantise(&bytes, &mut back);
        let [a, b, c, d] = [back[0], back[1], back[2], back[16]];
        println!("{}  {} bytes  {a:.3} {b:.3} {c:.3} {d:.3}", format.name(), bytes.len());
    }
}
