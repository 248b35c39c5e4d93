using System.Diagnostics;
using System.Reflection;

namespace Mamba.Managed.Tests.Packaging;

/// <summary>The SDK's commands, on the projects that these tests were built from.</summary>
internal static class Sdk
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(8);

    /// <summary>The configuration of the build that is tested.</summary>
    public static string Configuration { get; } = typeof(Sdk).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;

    /// <summary>The folder of the solution; the tests also run from copies elsewhere, where there is none.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>For fixtures that need the SDK and the projects.</summary>
    public static void Require() => Assume.That(Root, Is.Not.Empty, "the folder of the solution");

    /// <summary>Runs <c>dotnet</c>.</summary>
    /// <returns>What it wrote.</returns>
    public static string Run(string folder, params string[] args)
    {
        (int exit, string output) = Execute("dotnet", folder, args);
        Assert.That(exit, Is.Zero, output);
        return output;
    }

    /// <summary>Runs a program without the settings of this one, and with none of its output left unread.</summary>
    public static (int Exit, string Output) Execute(string program, string folder, params string[] args)
    {
        ProcessStartInfo start = new(program, args) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };

        // Where this process got its SDK from, and instruction sets that a test run forces.
        foreach (string name in start.Environment.Keys.Where(IsSetting).ToArray())
        {
            start.Environment.Remove(name);
        }

        // Otherwise compilers stay in memory, and hold the output's pipe open.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["UseSharedCompilation"] = "false";
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(Limit))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{program} {string.Join(' ', args)} hangs");
        }

        return (process.ExitCode, output.Result + error.Result);
    }

    private static bool IsSetting(string name) =>
        name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase) || name is "MAMBA_INSTRUCTION_SET" or "DOTNET_EnableHWIntrinsic";

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Mamba.Managed.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? "";
    }
}
