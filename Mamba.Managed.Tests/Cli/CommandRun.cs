using System.Diagnostics;
using Mamba.Managed.Cli;

namespace Mamba.Managed.Tests.Cli;

/// <summary>Runs the command: in this process, or in one of its own, as a shell does.</summary>
internal static class CommandRun
{
    private const int SigHup = 1;
    private const int SigInt = 2;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    /// <summary>The name of a signal of Ctrl+C, and its exit code; a shell in the background ignores it, which children inherit.</summary>
    public static (string Name, int Code) Interrupt { get; } = IsIgnored(SigInt) ? ("TERM", 143) : ("INT", 130);

    /// <summary>The name of the signal of a terminal that goes, and its exit code; what nohup starts ignores it, and so do children.</summary>
    public static (string Name, int Code) HangUp { get; } = IsIgnored(SigHup) ? ("TERM", 143) : ("HUP", 129);

    public static async Task<(int Exit, string Output, string Error)> InProcess(CancellationToken cancel, params string[] args)
    {
        using StringWriter output = new(), error = new();
        int exit = await MambaCommand.RunAsync(args, output, error, cancel);
        return (exit, output.ToString(), error.ToString());
    }

    public static Task<(int Exit, string Output, string Error)> InProcess(params string[] args) => InProcess(CancellationToken.None, args);

    /// <summary>Starts the command; in the script <c>"$@"</c> stands for it with its arguments.</summary>
    public static Process Start(string script, params string[] args)
    {
        ProcessStartInfo start = new("/bin/sh") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in (string[])["-c", script, "sh", "dotnet", typeof(MambaCommand).Assembly.Location, .. args])
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start)!;
    }

    /// <summary>Runs the command to its end.</summary>
    public static (int Exit, string Output, string Error) Shell(string script, params string[] args)
    {
        using Process process = Start(script, args);
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        AssertEnds(process);
        return (process.ExitCode, output.Result, error.Result);
    }

    public static void Signal(Process process, string name)
    {
        using Process kill = Process.Start("/bin/sh", ["-c", Throw.Invariant($"kill -{name} {process.Id}")]);
        kill.WaitForExit();
    }

    public static void AssertEnds(Process process)
    {
        bool ended = process.WaitForExit(Limit);
        if (!ended)
        {
            process.Kill(entireProcessTree: true);
        }

        Assert.That(ended, Is.True, "hangs");
        process.WaitForExit();
    }

    private static bool IsIgnored(int signal)
    {
        const string Key = "SigIgn:";
        string? line = OperatingSystem.IsLinux() ? File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith(Key, StringComparison.Ordinal)) : null;
        return line is not null && (Convert.ToUInt64(line[Key.Length..].Trim(), 16) >> (signal - 1) & 1) == 1;
    }
}
