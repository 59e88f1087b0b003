//! Four measures of similarity.

/// How the four measures compare a query with some keys.
fn main() {
    println!("# Four measures of similarity");
    let q = [2.0, 1.0];
    let keys =
        [("same", [2.0, 1.0]), ("longer", [4.0, 2.0]), ("other", [-1.0, 2.0]), ("opposite", [-2.0, -1.0])];
    println!("{:10} {:>6} {:>6} {:>8} {:>8}", "key", "dot", "cosine", "-dist^2", "squared");
    for (name, k) in keys {
        let dot = dot(q, k);
        let cosine = dot / (length(q) * length(k));
        let distance = 0.0 - (q[0] - k[0]).powi(2) - (q[1] - k[1]).powi(2);
        let squared = (q[0] * k[0]).powi(2) + (q[1] * k[1]).powi(2);
        println!("{name:10} {dot:6.1} {cosine:6.2} {distance:8.1} {squared:8.1}");
    }
}

/// `q_1 k_1 + q_2 k_2 = |q| |k| cos(angle)`.
fn dot(q: [f64; 2], k: [f64; 2]) -> f64 {
    q[0] * k[0] + q[1] * k[1]
}

fn length(q: [f64; 2]) -> f64 {
    dot(q, q).sqrt()
}
