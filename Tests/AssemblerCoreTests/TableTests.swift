import Seeded
import Testing

@testable import AssemblerCore

@Suite("A table")
struct TableTests {
    /// With few keys, which are looked through, and with many, which are hashed.
    @Test(
        "holds what a dictionary would hold, whatever is done to it", arguments: UInt64(1)...20,
        [12, 18, 60])
    func likeADictionary(seed: UInt64, keyCount: Int) {
        var dice = SplitMix(seed: seed)
        var table = Table<Int, [Int]>()
        var model: [Int: [Int]] = [:]
        for step in 0..<2_000 {
            let key = dice.below(keyCount)
            switch dice.below(200) == 0 ? 7 : dice.below(7) {
            case 0:
                table[key] = [step]
                model[key] = [step]
            case 1:
                table[key] = nil
                model[key] = nil
            case 2:
                table[key]?.append(step)
                model[key]?.append(step)
            case 3:
                table.append(step, at: key)
                model[key, default: []].append(step)
            case 4:
                // Wherever it is said to stand: another's place, a free one, or none.
                #expect(table.visit(key, near: dice.below(keyCount + 4)) { $0.count } == model[key]?.count)
            case 5:
                #expect(table.visit(key) { $0.count } == model[key]?.count)
            case 6:
                table.forEach { $0.append(step) }
                model = model.mapValues { $0 + [step] }
            default:
                table.removeAll()
                model = [:]
            }
            #expect(table[key] == model[key])
            #expect(table.contains(key) == (model[key] != nil))
            #expect(table.count == model.count)
        }
        #expect(Dictionary(uniqueKeysWithValues: table.elements.map { ($0.key, $0.value) }) == model)
        #expect(Set(table.values) == Set(model.values))
    }

    @Test("changes a value where it stands, without a copy of what it holds")
    func inPlace() {
        var table = Table<Int, [Int]>()
        table[1] = Array(0..<100)
        let before = table[1]?.withUnsafeBufferPointer { $0.baseAddress }
        table[1]?[5] = 7
        _ = table.visit(1) { $0[6] = 8 }
        table[1]?[7] = 9
        #expect(table[1]?.withUnsafeBufferPointer { $0.baseAddress } == before)
        #expect(table[1]?[5...7] == [7, 8, 9])
    }

    @Test("is walked in the order in which its values came")
    func order() {
        var table = Table<Int, Int>()
        for key in [5, 3, 9, 1] { table[key] = key * 10 }
        #expect(table.elements.map(\.key) == [5, 3, 9, 1])
        #expect(Array(table.values) == [50, 30, 90, 10])
    }
}
