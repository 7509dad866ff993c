import Foundation

/// Starts a worker again whenever it has ended, as an operator's supervisor does, until it is stopped.
final class Supervisor {
    private let shop: Shop
    private let start: (String) throws -> Running
    private var workers: [(name: String, process: Running)] = []
    private var replacedCount = 0

    /// Workers that ended by themselves, the one included that nobody has replaced yet.
    var deathCount: Int { replacedCount + workers.count { $0.process.hasEnded != nil } }

    /// - Parameter start: Starts a worker of this name.
    init(
        _ shop: Shop, _ names: [String], start: @escaping (String) throws -> Running
    ) throws {
        self.shop = shop
        self.start = start
        workers = try names.map { ($0, try start($0)) }
    }

    /// Asks until there is an answer, and starts who has ended meanwhile.
    @discardableResult
    func eventually<Answer>(
        _ what: String, within limit: Duration = .seconds(60), _ question: () async throws -> Answer?
    ) async throws -> Answer {
        try await EndToEndTests.eventually(what, within: limit) {
            try look()
            return try await question()
        }
    }

    private func look() throws {
        for index in workers.indices where workers[index].process.hasEnded != nil {
            replacedCount += 1
            workers[index].process = try start(workers[index].name)
        }
    }
}
