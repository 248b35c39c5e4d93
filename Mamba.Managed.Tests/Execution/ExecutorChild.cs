using Mamba.Managed.Execution;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Execution;

/// <summary>What would hang or end a process if an executor were wrong, to be run in a child; a case that finds nothing wrong says nothing.</summary>
internal static class ExecutorChild
{
    private const int Vocabulary = 256;

    public static IReadOnlyDictionary<string, Action> Cases { get; } = new Dictionary<string, Action>
    {
        ["dispose during prompts, 1 thread"] = () => DisposeDuringCalls(threads: 1, length: 2000, rounds: 12),
        ["dispose during prompts, 2 threads"] = () => DisposeDuringCalls(threads: 2, length: 2000, rounds: 50),
        ["dispose during prompts, 4 threads"] = () => DisposeDuringCalls(threads: 4, length: 2000, rounds: 15),
        ["dispose during steps, 2 threads"] = () => DisposeDuringCalls(threads: 2, length: 1, rounds: 100),
        ["dispose states during a batch"] = DisposeStatesDuringCalls,
        ["change arguments during calls"] = ChangeArguments,
        ["free weights"] = FreeWeights,
        ["constructors that fail"] = FailingConstructors,
    };

    public static int Run(string name)
    {
        Cases[name]();
        return 0;
    }

    private static MambaLanguageModel Model(int width = 64, int layers = 2) =>
        MambaLanguageModel.Create(new() { DModel = width, NLayer = layers, VocabSize = Vocabulary }, 1);

    private static void DisposeDuringCalls(int threads, int length, int rounds)
    {
        MambaLanguageModel model = length == 1 ? Model() : Model(256, 4);
        int[] tokens = [.. Enumerable.Range(0, length).Select(i => i % Vocabulary)];
        Random random = new(threads);
        for (int round = 0; round < rounds; round++)
        {
            CpuExecutor executor = new(model, threads);
            using CpuState state = executor.CreateState();
            Thread caller = Calling(() => executor.Prefill(tokens, state, new float[Vocabulary]));
            Thread.Sleep(random.Next(1, 25));
            executor.Dispose();
            caller.Join();
            if (state.Position % length != 0)
            {
                Console.WriteLine($"expected whole prompts of {length}, found position {state.Position}");
            }
        }
    }

    private static void DisposeStatesDuringCalls()
    {
        using CpuExecutor executor = new(Model(), 2);
        for (int round = 0; round < 100; round++)
        {
            CpuState[] states = [.. Enumerable.Range(0, 8).Select(_ => executor.CreateState())];
            Thread caller = Calling(() => executor.Step([1, 2, 3, 4, 5, 6, 7, 8], states, new float[8 * Vocabulary]));
            Thread.Sleep(1);
            states[round % 8].Dispose();
            caller.Join();
        }
    }

    // Another thread writes to tokens and batch between their check and their use.
    private static void ChangeArguments()
    {
        using CpuExecutor executor = new(Model(), 1);
        using CpuState state = executor.CreateState();
        int[] tokens = new int[64];
        SequenceInput[] batch = [new(state, 64, LogitRows.Last)];
        float[] logits = new float[Vocabulary];
        bool stop = false;
        Thread writer = new(() =>
        {
            while (!Volatile.Read(ref stop))
            {
                tokens[5] = 100_000_000;
                batch[0] = new(state, 1_000_000, LogitRows.Last);
                Thread.SpinWait(20);
                tokens[5] = 1;
                batch[0] = new(state, 64, LogitRows.Last);
                Thread.SpinWait(20);
            }
        });
        writer.Start();
        for (long end = Environment.TickCount64 + 4000; Environment.TickCount64 < end;)
        {
            try
            {
                executor.Run(tokens, batch, logits);
            }
            catch (ArgumentException)
            {
                // What was found is told to the caller.
            }
        }

        Volatile.Write(ref stop, true);
        writer.Join();
    }

    private static void FreeWeights()
    {
        // Some 100 MB, in single precision.
        MambaLanguageModel model = Model(1024, 4);
        long before = Resident();
        for (int i = 0; i < 8; i++)
        {
            using CpuExecutor executor = new(model, 2);
            executor.Prefill([1], executor.CreateState(), new float[Vocabulary]);
            executor.Dispose();
            if (Resident() > before + 60)
            {
                Console.WriteLine($"expected the {before} MB of before, found {Resident()} MB after executor {i} was disposed");
            }
        }

        static long Resident() => !File.Exists("/proc/self/status") ? 0
            : long.Parse(File.ReadLines("/proc/self/status").First(line => line.StartsWith("VmRSS", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture) / 1024;
    }

    private static void FailingConstructors()
    {
        MambaLanguageModel model = Model(), disposed = Model();
        disposed.DisposeParameters();
        MambaLanguageModel[] bad = [model with { Config = model.Config with { DState = 4 } }, disposed];
        for (int i = 0; i < 20; i++)
        {
            try
            {
                new CpuExecutor(bad[i % bad.Length], 8).Dispose();
                Console.WriteLine("expected an exception, found none");
            }
            catch (Exception e) when (e is ArgumentException or ObjectDisposedException)
            {
                // As it should be.
            }
        }

        Thread.Sleep(200);
        int workers = !Directory.Exists("/proc/self/task") ? 0
            : Directory.GetDirectories("/proc/self/task").Count(task => File.ReadAllText(Path.Combine(task, "comm")).StartsWith("Mamba worker", StringComparison.Ordinal));
        Console.Write(workers == 0 ? "" : $"expected no worker, found {workers}");
    }

    private static Thread Calling(Action call)
    {
        Thread caller = new(() =>
        {
            try
            {
                while (true)
                {
                    call();
                }
            }
            catch (ObjectDisposedException)
            {
                // As it should be.
            }
        });
        caller.Start();
        return caller;
    }
}
