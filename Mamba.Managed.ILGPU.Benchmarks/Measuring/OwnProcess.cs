using System.Diagnostics;

namespace Mamba.Managed.ILGPU.Benchmarks.Measuring;

/// <summary>This program in another process, whose standard error is this one's.</summary>
internal static class OwnProcess
{
    public static Process Start(IEnumerable<string> arguments)
    {
        string program = Environment.ProcessPath!;

        // Under "dotnet program.dll" the process is dotnet's.
        string[] first = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [Environment.GetCommandLineArgs()[0]] : [];
        ProcessStartInfo start = new(program, [.. first, .. arguments]) { RedirectStandardOutput = true };
        return Process.Start(start)!;
    }
}
