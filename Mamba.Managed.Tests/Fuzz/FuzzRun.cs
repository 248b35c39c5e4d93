using System.Diagnostics;
using System.Globalization;

namespace Mamba.Managed.Tests.Fuzz;

/// <summary>Runs a part in a process of its own, and says in one line how it went.</summary>
/// <param name="Part">One of <see cref="FuzzPart.All"/>.</param>
/// <param name="Limit">As of <see cref="FuzzChild.Run"/>.</param>
/// <param name="Seed">Steps follow from seed and number.</param>
/// <param name="From">The number of the first step.</param>
internal sealed record FuzzRun(string Part, string Limit, int Seed, long From = 0)
{
    private const string Checked = "checked";
    private const string CheckedAllocator = "libc_malloc_debug.so.0";

    // A step takes milliseconds; on a machine that others use too, now and then a second.
    private static readonly TimeSpan Hang = TimeSpan.FromSeconds(20);

    /// <summary>Whether the child's memory is checked by glibc: what is written beyond a block ends the process when the block is freed.</summary>
    public bool ChecksMemory { get; init; }

    /// <summary>Whether this machine's C library can do that: glibc from 2.34 on, with its debugging library.</summary>
    public static bool CanCheckMemory { get; } = OperatingSystem.IsLinux()
        && System.Runtime.InteropServices.NativeLibrary.TryLoad(CheckedAllocator, out nint _);

    /// <summary>The command: <c>fuzz PART LIMIT SEED [FROM] [checked]</c>, or <c>fuzz readers</c> for the names of the readers.</summary>
    public static int Start(string[] arguments)
    {
        if (arguments is ["readers"])
        {
            Console.WriteLine(string.Join('\n', Readers.All.Keys));
            return 0;
        }

        FuzzRun run = new(arguments[0], arguments[1], int.Parse(arguments[2], CultureInfo.InvariantCulture));
        (bool passed, string said) = (run with
        {
            From = arguments.Length > 3 ? long.Parse(arguments[3], CultureInfo.InvariantCulture) : 0,
            ChecksMemory = arguments.Length > 4 && arguments[4] == Checked,
        }).Run();
        Console.WriteLine(said);
        return passed ? 0 : 1;
    }

    /// <summary>Runs the part to its end.</summary>
    public (bool Passed, string Said) Run()
    {
        string progress = Path.GetTempFileName();
        try
        {
            using Process child = Process.Start(Command(progress))!;
            Task<string> output = child.StandardOutput.ReadToEndAsync(), errors = child.StandardError.ReadToEndAsync();
            bool hangs = !Wait(child, progress);
            string said = output.Result + errors.Result;
            return child.ExitCode == 0 && !hangs
                ? (true, Throw.Invariant($"{Part}, seed {Seed}{(!ChecksMemory ? "" : CanCheckMemory ? ", memory checked" : ", memory not checked: no libc_malloc_debug")}: {said.Trim()}"))
                : (false, Failure(hangs ? "hangs" : Throw.Invariant($"ended with {child.ExitCode}"), StepOf(progress), said));
        }
        finally
        {
            File.Delete(progress);
        }
    }

    private static long StepOf(string progress)
    {
        using FileStream file = new(progress, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        return file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) == bytes.Length ? BitConverter.ToInt64(bytes) : -1;
    }

    private static bool Wait(Process child, string progress)
    {
        long step = -1;
        Stopwatch still = Stopwatch.StartNew();
        while (!child.WaitForExit(100))
        {
            long now = StepOf(progress);
            if (now != step)
            {
                (step, still) = (now, Stopwatch.StartNew());
            }
            else if (still.Elapsed > Hang)
            {
                child.Kill();
                child.WaitForExit();
                return false;
            }
        }

        child.WaitForExit();
        return true;
    }

    private string Failure(string how, long step, string said) => Throw.Invariant(
        $"{Part}, seed {Seed}, step {step}: {how}\n{said}\nrepeat: dotnet run --project Mamba.Managed.Tests -c Release -- fuzz {Part} 1 {Seed} {step}{(ChecksMemory ? " " + Checked : "")}");

    private ProcessStartInfo Command(string progress)
    {
        ProcessStartInfo start = new("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in (string[])[typeof(FuzzRun).Assembly.Location, "fuzz-child", Part, Limit, Text(Seed), Text(From), progress])
        {
            start.ArgumentList.Add(argument);
        }

        if (ChecksMemory && CanCheckMemory)
        {
            start.Environment["LD_PRELOAD"] = CheckedAllocator;
            start.Environment["GLIBC_TUNABLES"] = "glibc.malloc.check=3";
            start.Environment["MALLOC_PERTURB_"] = "165";
        }

        return start;

        static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
    }
}
