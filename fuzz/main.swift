import Foundation
import Harnesses
import Synchronization

// `fuzz HARNESS [options of libFuzzer] [folders of inputs]` runs a harness on inputs without end;
// `fuzz --seeds COUNT HARNESS FOLDER` writes inputs to begin with. docs/fuzzing.md says more.

@_silgen_name("LLVMFuzzerRunDriver")
func runFuzzer(
    _ argumentCount: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

/// What this process runs: libFuzzer's callback carries nothing.
enum Run {
    static let harness = Mutex(Harness.frames)
    static let inputCount = Atomic(0)
    static let messageCount = Atomic(0)
}

func usage() -> Never {
    print("usage: fuzz HARNESS [OPTION…] [FOLDER…] | fuzz --seeds COUNT HARNESS FOLDER")
    print("harnesses: \(Harness.all.map(\.name).joined(separator: " "))")
    exit(64)
}

func harness(named name: String?) -> Harness {
    guard let harness = Harness.all.first(where: { $0.name == name }) else { usage() }
    return harness
}

var arguments = Array(CommandLine.arguments.dropFirst())
if arguments.first == "--seeds" {
    guard arguments.count == 4, let count = Int(arguments[1]) else { usage() }
    let folder = URL(filePath: arguments[3])
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for (index, seed) in harness(named: arguments[2]).seeds(count: count).enumerated() {
        try Data(seed).write(to: folder.appending(path: "seed-\(index)"))
    }
    exit(0)
}

let chosen = harness(named: arguments.first)
Run.harness.withLock { $0 = chosen }
atexit {
    let (inputs, messages) = (
        Run.inputCount.load(ordering: .relaxed), Run.messageCount.load(ordering: .relaxed)
    )
    print("inputs: \(inputs), messages or documents: \(messages)")
}
// libFuzzer takes its own options from the place of the program's name on.
var argumentCount = CommandLine.argc - 1
var remaining = CommandLine.unsafeArgv + 1
exit(
    runFuzzer(&argumentCount, &remaining) { pointer, count in
        let input = Array(UnsafeBufferPointer(start: pointer, count: count))
        do {
            let count = try Run.harness.withLock { $0 }.run(input)
            Run.inputCount.add(1, ordering: .relaxed)
            Run.messageCount.add(count, ordering: .relaxed)
        } catch {
            // libFuzzer keeps the input of a process that traps, and says which it is.
            fatalError("\(error)")
        }
        return 0
    })
