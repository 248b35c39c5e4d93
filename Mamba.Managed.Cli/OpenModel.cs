using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
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

    /// <summary>The model's tokenizer.</summary>
    /// <exception cref="FileNotFoundException">A folder has none, and the model does not read bytes.</exception>
    /// <exception cref="InvalidDataException">The file is damaged or unsupported, or a GGUF file carries none.</exception>
    public Tokenizer LoadTokenizer()
    {
        if (Directory.Exists(Path))
        {
            return Tokenizer.Load(Path, Model.Config);
        }

        GgufVocabulary vocabulary = GgufVocabulary.Read(GgufFile.Open(Path).Metadata)
            ?? throw new InvalidDataException($"{Path}: expected a tokenizer in the file, found none; convert the model again with its tokenizer");
        return Tokenizer.FromGguf(vocabulary);
    }

    /// <summary>Bytes of the model's files.</summary>
    public long FileBytes() => Directory.Exists(Path)
        ? new DirectoryInfo(Path).EnumerateFiles().Where(f => f.Extension is ".safetensors" or ".bin").Sum(f => f.Length)
        : new FileInfo(Path).Length;
}
