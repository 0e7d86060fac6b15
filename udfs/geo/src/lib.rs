//! Distances and directions on a globe: an ordinary library crate that several functions share.

/// Degrees north, degrees east.
pub type Point = (f64, f64);

/// Kilometres between two points: the haversine formula, on a sphere with the earth's mean radius.
pub fn distance_km(from: Point, to: Point) -> f64 {
    const MEAN_RADIUS_KM: f64 = 6371.0088;
    let (from_latitude, to_latitude) = (from.0.to_radians(), to.0.to_radians());
    let half_latitude = (to_latitude - from_latitude) / 2.0;
    let half_longitude = (to.1 - from.1).to_radians() / 2.0;
    let chord =
        half_latitude.sin().powi(2) + from_latitude.cos() * to_latitude.cos() * half_longitude.sin().powi(2);
    // Rounding can bring the chord of two antipodes a little above 1.
    2.0 * MEAN_RADIUS_KM * chord.min(1.0).sqrt().asin()
}

/// The direction in which one sets out to get from one point to the other: degrees clockwise from north, 0 to 360.
pub fn bearing_degrees(from: Point, to: Point) -> f64 {
    let (from_latitude, to_latitude) = (from.0.to_radians(), to.0.to_radians());
    let turn = (to.1 - from.1).to_radians();
    let east = turn.sin() * to_latitude.cos();
    let north =
        from_latitude.cos() * to_latitude.sin() - from_latitude.sin() * to_latitude.cos() * turn.cos();
    east.atan2(north).to_degrees().rem_euclid(360.0)
}

/// Says why a point is none, when it lies outside the globe.
pub fn check((latitude, longitude): Point) -> Result<(), String> {
    if (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude) {
        return Ok(());
    }
    Err(format!("there is no place at {latitude}, {longitude}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_line_and_the_poles_are_no_borders() {
        assert!((distance_km((0.0, 179.5), (0.0, -179.5)) - 111.195).abs() < 0.001);
        assert!(distance_km((90.0, 0.0), (90.0, 123.0)) < 1e-9);
        assert!((distance_km((0.0, 0.0), (0.0, 180.0)) - 20_015.115).abs() < 0.001);
    }

    #[test]
    fn bearings() {
        for (to, expected) in
            [((1.0, 0.0), 0.0), ((0.0, 1.0), 90.0), ((-1.0, 0.0), 180.0), ((0.0, -1.0), 270.0)]
        {
            assert!((bearing_degrees((0.0, 0.0), to) - expected).abs() < 1e-9, "{to:?}");
        }
    }

    #[test]
    fn coordinates_outside_the_globe_are_refused() {
        assert_eq!(check((90.5, 0.0)), Err("there is no place at 90.5, 0".to_owned()));
        assert_eq!(check((f64::NAN, 0.0)), Err("there is no place at NaN, 0".to_owned()));
        assert_eq!(check((-90.0, 180.0)), Ok(()));
    }
}
