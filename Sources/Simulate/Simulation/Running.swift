/// The core of a process that runs, in a place of its own: an optional value is copied when it is asked something.
final class Running<Core> {
    var core: Core

    init(_ core: Core) { self.core = core }

    /// Asks the core where it stands.
    // In and out, though nothing is changed: what a class's property or a pointer holds is copied when it is only lent.
    @inline(__always)
    func ask<Answer>(_ question: (inout Core) -> Answer) -> Answer { question(&core) }
}
