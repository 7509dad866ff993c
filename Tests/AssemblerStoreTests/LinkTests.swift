import AssemblerStore
import Foundation
import GRDB
import Testing

@Suite("A store that is reached through a link is the same store")
struct LinkTests {
    private func link(to target: String, in kitchen: Kitchen) throws -> String {
        let folder = "\(kitchen.folder)/links"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let link = "\(folder)/tray.sqlite"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: target)
        return link
    }

    @Test("who holds it is named, and its log stays, whichever name a second assembler uses (FM-22)")
    func locked() throws {
        let kitchen = try Kitchen()
        let link = try link(to: "../data/tray.sqlite", in: kitchen)
        let store = try kitchen.open()
        try store.commit(Sample.accept(1))
        let before = try kitchen.files
        #expect(before["tray.sqlite-wal"]?.isEmpty == false)
        #expect(throws: StoreError.locked(path: kitchen.path, processID: getpid())) {
            let second = try Store.open(path: link)
            _ = try second.begin(at: Sample.now)
        }
        #expect(try kitchen.files == before)
        try store.checkInPlace()
        try store.commit(Sample.accept(2))
        try store.close()
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(kitchen.folder)/links").count == 1)
        #expect(try kitchen.rowCount("tray_order") == 2)
    }

    @Test("its log is read, checked and kept where it is")
    func log() throws {
        let kitchen = try Kitchen.killed(after: Sample.accept(1), and: Sample.accept(2))
        let link = try link(to: kitchen.path, in: kitchen)
        let store = try Store.open(path: link)
        #expect(store.path == kitchen.path)
        #expect(try store.begin(at: Sample.now).orders.count == 2)
        try store.checkInPlace()
        try store.close()

        let damaged = try Kitchen.killed(after: Sample.accept(1), and: Sample.accept(2) + Sample.accept(3))
        let other = try self.link(to: damaged.path, in: damaged)
        let log = try #require(FileHandle(forUpdatingAtPath: "\(damaged.path)-wal"))
        try log.seek(toOffset: 10)
        try log.write(contentsOf: Data([0xff, 0xff]))
        try log.close()
        let before = try damaged.files
        let error = #expect(throws: StoreError.self) { try Store.open(path: other) }
        guard case .corrupt = error else { Issue.record("\(String(describing: error))"); return }
        #expect(try Store.verify(path: other).problems.map(\.row).contains("log"))
        #expect(try damaged.files.filter { $0.key != "tray.sqlite-shm" } == before)
    }

    @Test("where it leads elsewhere before anything is made, there is nothing to save")
    func ledElsewhere() throws {
        let kitchen = try Kitchen()
        let link = try link(to: "\(kitchen.folder)/one.sqlite", in: kitchen)
        let store = try Store.open(path: link)
        try FileManager.default.removeItem(atPath: link)
        _ = try self.link(to: "\(kitchen.folder)/other.sqlite", in: kitchen)
        let error = try #require(throws: StoreError.self) { try store.begin(at: Sample.now) }
        guard case .displaced(link, _, .missing) = store.rescue(from: error) else {
            Issue.record("\(error)")
            return
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(kitchen.folder)/links").count == 1)
        let next = try Store.open(path: link)
        #expect(try next.begin(at: Sample.now).incarnation == 1)
        try next.close()
    }

    @Test("one that leads to where nothing is yet is made there")
    func dangling() throws {
        let kitchen = try Kitchen()
        try FileManager.default.createDirectory(
            atPath: "\(kitchen.folder)/data", withIntermediateDirectories: true)
        let link = try link(to: "../data/tray.sqlite", in: kitchen)
        let store = try Store.open(path: link)
        _ = try store.begin(at: Sample.now)
        #expect(throws: StoreError.locked(path: kitchen.path, processID: getpid())) { try kitchen.open() }
        try store.close()
        #expect(try kitchen.files.keys.sorted() == ["tray.sqlite"])
        #expect(try Store.verify(path: link).isSound)
    }

    @Test(
        "a link that is removed or leads elsewhere is noticed, and everything is saved where the next start looks",
        arguments: [true, false])
    func displaced(isRemoved: Bool) throws {
        let (kitchen, other) = (try Kitchen(), try Kitchen())
        try kitchen.open().close()
        let link = try link(to: kitchen.path, in: kitchen)
        let store = try Store.open(path: link)
        _ = try store.begin(at: Sample.now)
        try store.commit(Sample.accept(1))
        try store.checkInPlace()
        try FileManager.default.removeItem(atPath: link)
        if !isRemoved {
            try other.open().close()
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: other.path)
        }
        let error = try #require(throws: StoreError.self) { try store.checkInPlace() }
        let said = store.rescue(from: error)
        guard case .displaced(link, _, .copied("\(link).rescued")) = said else {
            Issue.record("\(said)")
            return
        }
        if isRemoved {
            #expect(throws: StoreError.abandoned(path: link, copy: "\(link).rescued")) {
                try Store.open(path: link)
            }
        }
        // What it led to is whole, too.
        for path in [kitchen.path, "\(link).rescued"] {
            let next = try Store.open(path: path)
            #expect(try next.begin(at: Sample.now).orders.map(\.accepted.id) == [Sample.id(1)])
            try next.close()
        }
    }

    @Test("of which the store was removed, is not taken for a new one")
    func abandoned() throws {
        let kitchen = try Kitchen()
        let link = try link(to: kitchen.path, in: kitchen)
        try kitchen.open().close()
        let store = try Store.open(path: link)
        _ = try store.begin(at: Sample.now)
        try store.commit(Sample.accept(1))
        try FileManager.default.removeItem(atPath: kitchen.path)
        let error = try #require(throws: StoreError.self) { try store.checkInPlace() }
        guard case .displaced(kitchen.path, _, .copied(let copy)) = store.rescue(from: error) else {
            Issue.record("\(error)")
            return
        }
        #expect(copy == "\(kitchen.path).rescued")
        #expect(throws: StoreError.abandoned(path: kitchen.path, copy: copy)) { try Store.open(path: link) }
    }
}
