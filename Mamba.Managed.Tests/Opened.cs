using Mamba.Managed.Checkpoints;
using Mamba.Managed.Models;

namespace Mamba.Managed.Tests;

/// <summary>Models of files for as long as a test looks at them: nothing disposes the source, so that the mapping lives as long as a tensor.</summary>
internal static class Opened
{
    public static MambaLanguageModel Model(string path) => ModelSource.Open(path).Model;
}
