using System.Text.RegularExpressions;

namespace Mamba.Managed.Checkpoints;

/// <summary>Which files of a model folder hold its weights.</summary>
/// <param name="Path">The file itself, or an index.</param>
/// <param name="IsIndex">Whether it names the files of the tensors instead of holding them.</param>
internal sealed partial record WeightFiles(string Path, bool IsIndex)
{
    /// <summary>The safetensors file that holds every tensor, and the one that is written.</summary>
    public const string Single = "model.safetensors";

    private const string Safetensors = ".safetensors";
    private const string Index = "model.safetensors.index.json";
    private const string Archive = "pytorch_model.bin";
    private const string ArchiveIndex = "pytorch_model.bin.index.json";

    // In the order in which transformers looks for them.
    private static readonly (string Name, bool IsIndex)[] known = [(Single, false), (Index, true), (Archive, false), (ArchiveIndex, true)];

    private static readonly string[] kinds = [Safetensors, ".bin", ".pt", ".pth", ".ckpt"];

    /// <summary>The first of the known files that a folder has; else its only file that can hold weights.</summary>
    /// <exception cref="FileNotFoundException">It has none.</exception>
    /// <exception cref="InvalidDataException">It has several under other names, or shards without their index; the message lists them.</exception>
    public static WeightFiles Find(string folder)
    {
        foreach ((string name, bool isIndex) in known)
        {
            if (File.Exists(System.IO.Path.Combine(folder, name)))
            {
                return new(System.IO.Path.Combine(folder, name), isIndex);
            }
        }

        string[] files = [.. Directory.EnumerateFiles(folder).Select(file => System.IO.Path.GetFileName(file)).Order(StringComparer.Ordinal)];
        string[] found = [.. files.Where(MayHoldWeights)];
        if (Array.Find(found, name => Shard().IsMatch(name)) is { } shard)
        {
            string index = IsSafetensors(shard) ? Index : ArchiveIndex;
            throw new InvalidDataException($"{folder}: expected {index} beside the parts of the model, found {Shortened.List(found)} alone; download all parts and the index");
        }

        return found switch
        {
            [string only] => new(System.IO.Path.Combine(folder, only), false),
            [] => throw NoneIn(folder, files),
            _ => throw new InvalidDataException(
                $"{folder}: expected {Single} or {Archive}, or one file of weights under another name, found {Shortened.List(found)}; move away all but the model's"),
        };
    }

    /// <summary>Whether a file is in the format of safetensors, by its name; if not, it is a PyTorch archive.</summary>
    public static bool IsSafetensors(string path) => path.EndsWith(Safetensors, StringComparison.OrdinalIgnoreCase);

    private static FileNotFoundException NoneIn(string folder, string[] files)
    {
        string[] gguf = [.. files.Where(name => name.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase))];
        return new(
            gguf.Length > 0
                ? $"{folder}: expected {Single} or {Archive}, found {Shortened.List(gguf)}; give the path of the GGUF file itself"
                : $"{folder}: expected {Single}, {Archive} or the index of their parts, found none of them; download the weights into this folder",
            System.IO.Path.Combine(folder, Single));
    }

    private static bool MayHoldWeights(string name) =>
        kinds.Contains(System.IO.Path.GetExtension(name), StringComparer.OrdinalIgnoreCase) && !BesideWeights().IsMatch(name);

    // What trainers save beside the model, and adapters, which are changes to a model.
    [GeneratedRegex("^(training_args|optimizer|scheduler|scaler|sampler|rng_state.*|.*optim_states|adapter_model)\\.[a-z]+$", RegexOptions.CultureInvariant)]
    private static partial Regex BesideWeights();

    [GeneratedRegex("-[0-9]{1,9}-of-[0-9]{1,9}\\.[a-z]+$", RegexOptions.CultureInvariant)]
    private static partial Regex Shard();
}
