using Mamba.Managed.Checkpoints;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Cli;

/// <summary>What MODEL names: a folder or a GGUF file, with its tokenizer where it has one.</summary>
/// <param name="Path">Where it lies.</param>
/// <param name="Model">The weights.</param>
internal sealed record OpenModel(string Path, MambaLanguageModel Model)
{
    /// <summary>The model that ships with the command.</summary>
    public static string DefaultPath => System.IO.Path.Combine(AppContext.BaseDirectory, "DefaultModel");

    public static OpenModel Open(string path) => new(path, ModelConversion.Load(path));

    /// <inheritdoc cref="Tokenizer.Load"/>
    public Tokenizer LoadTokenizer() => Tokenizer.Load(Path, Model.Config);

    /// <summary>Bytes of the model's files.</summary>
    public long FileBytes() => Directory.Exists(Path)
        ? new DirectoryInfo(Path).EnumerateFiles().Where(f => f.Extension is ".safetensors" or ".bin").Sum(f => f.Length)
        : new FileInfo(Path).Length;
}
