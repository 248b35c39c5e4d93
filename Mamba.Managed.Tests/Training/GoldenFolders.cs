namespace Mamba.Managed.Tests.Training;

/// <summary>Where goldens lie: the project's own, and what the environment variable MAMBA_FIXTURES names.</summary>
internal static class GoldenFolders
{
    public static IEnumerable<string> Roots()
    {
        string? further = Environment.GetEnvironmentVariable("MAMBA_FIXTURES");
        return [Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures"), .. further?.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries) ?? []];
    }
}
