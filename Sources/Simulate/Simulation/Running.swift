/// The core of a process that runs, in a place of its own: an optional value is copied when it is asked something.
final class Running<Core> {
    var core: Core

    init(_ core: Core) { self.core = core }

    /// Asks the core where it stands.
    func ask<Answer>(_ question: (borrowing Core) -> Answer) -> Answer {
        // By its address: a class's property that is handed on is copied.
        withUnsafePointer(to: &core) { question($0.pointee) }
    }
}
