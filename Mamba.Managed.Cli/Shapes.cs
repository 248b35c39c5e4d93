using Mamba.Managed.Models;

namespace Mamba.Managed.Cli;

/// <summary>The shapes of <c>--shape</c>: a small byte-level one, and those of the published checkpoints.</summary>
internal static class Shapes
{
    private const int PublishedVocabulary = 50280;

    private static readonly Dictionary<string, MambaConfig> shapes = new()
    {
        ["tiny"] = new() { DModel = 256, NLayer = 6, VocabSize = 256 },
        ["130m"] = Published(768, 24),
        ["370m"] = Published(1024, 48),
        ["790m"] = Published(1536, 48),
        ["1.4b"] = Published(2048, 48),
        ["2.8b"] = Published(2560, 64),
    };

    public static string[] Names => [.. shapes.Keys];

    public static MambaConfig Of(string name) => shapes[name];

    private static MambaConfig Published(int width, int layers) => new() { DModel = width, NLayer = layers, VocabSize = PublishedVocabulary };
}
