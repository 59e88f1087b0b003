//! How this process was started: alone, or as one of several.

/// The variables with the rank and the number of processes, by launcher: Open MPI, MPICH and its relatives.
const VARIABLES: [(&str, &str); 2] =
    [("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE")];

/// The variables with the number of processes on this machine.
const ON_THIS_MACHINE: [&str; 2] = ["OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"];

/// How a launcher such as `mpirun` has started this process. It is known before MPI is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Launch {
    /// The number of this process, from 0.
    pub rank: usize,
    /// The number of processes.
    pub size: usize,
    /// The number of processes on this machine.
    pub on_this_machine: usize,
}

impl Launch {
    /// Reads the environment of this process. `None` if no launcher has started it.
    pub fn find() -> Option<Self> {
        Self::read(|name| std::env::var(name).ok())
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let number = |name: &str| variable(name)?.parse::<usize>().ok();
        let places = VARIABLES.into_iter().filter_map(|(rank, size)| Some((number(rank)?, number(size)?)));
        let (rank, size) = places.into_iter().find(|(rank, size)| rank < size)?;
        let on_this_machine = ON_THIS_MACHINE.into_iter().find_map(number).unwrap_or(1).clamp(1, size);
        Some(Self { rank, size, on_this_machine })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_launcher_is_recognised() {
        let read = |known: &[(&str, &str)]| {
            Launch::read(|name| Some(known.iter().find(|(known, _)| *known == name)?.1.to_string()))
        };
        assert_eq!(read(&[]), None);
        let open_mpi = [
            ("OMPI_COMM_WORLD_RANK", "2"),
            ("OMPI_COMM_WORLD_SIZE", "4"),
            ("OMPI_COMM_WORLD_LOCAL_SIZE", "2"),
        ];
        assert_eq!(read(&open_mpi), Some(Launch { rank: 2, size: 4, on_this_machine: 2 }));
        let mpich = [("PMI_RANK", "0"), ("PMI_SIZE", "3")];
        assert_eq!(read(&mpich), Some(Launch { rank: 0, size: 3, on_this_machine: 1 }));
        assert_eq!(read(&[("PMI_RANK", "3"), ("PMI_SIZE", "3")]), None);
        assert_eq!(read(&[("PMI_RANK", "x"), ("PMI_SIZE", "3")]), None);
    }
}
