using System.Globalization;
using System.Text.RegularExpressions;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>The parts of a model in several GGUF files, as llama.cpp's gguf-split names and writes them.</summary>
/// <remarks>
/// <code>
/// NAME-00001-of-00003.gguf: all metadata, split.no = 0, split.count = 3, split.tensors.count      NAME-00002-of-00003.gguf: split.no = 1, ...
/// </code>
/// The first part may hold no tensors.
/// </remarks>
internal sealed partial class GgufParts
{
    private const string CountKey = "split.count";
    private const string NumberKey = "split.no";
    private const string TensorsKey = "split.tensors.count";
    private const int MostParts = 99_999;
    private const int MostListed = 100;

    private readonly string stem;

    private GgufParts(string stem, int count) => (this.stem, Count) = (stem, count);

    /// <summary>How many parts.</summary>
    public int Count { get; }

    /// <summary>The parts of the model that a file is one of; null for a file that is whole.</summary>
    /// <exception cref="InvalidDataException">The file says that it is a part, but its name is not that of one.</exception>
    public static GgufParts? Of(string path, GgufMetadata metadata)
    {
        // The program that merges parts leaves a count of 0.
        int count = metadata.GetInteger(CountKey, 0);
        if (count is 0 or 1)
        {
            return null;
        }

        int number = metadata.GetInteger(NumberKey);
        if (count is < 0 or > MostParts || number < 0 || number >= count)
        {
            throw new InvalidDataException(Throw.Invariant(
                $"expected {CountKey} from 2 to {MostParts} and {NumberKey} below it, found {count} and {number}"));
        }

        Match match = PartName().Match(Path.GetFileName(path));
        string folder = Path.GetDirectoryName(path) ?? "";
        GgufParts parts = new(Path.Combine(folder, match.Groups["stem"].Value), count);
        return match.Success && Path.GetFileName(parts.PathOf(number)) == Path.GetFileName(path) ? parts : throw new InvalidDataException(Throw.Invariant(
            $"expected a name that ends with {parts.Ending(number)}, as this is part {number + 1} of {count}, found another; give the parts their names back, or merge them with gguf-split --merge"));
    }

    /// <summary>The path of a part, from 0 on.</summary>
    public string PathOf(int number) => stem + Ending(number);

    /// <summary>Refuses a model whose parts are not all there.</summary>
    /// <exception cref="FileNotFoundException">Parts are missing; the message lists them.</exception>
    public void RequireAll()
    {
        string[] absent = [.. Enumerable.Range(0, Count).Select(PathOf).Where(path => !File.Exists(path)).Take(MostListed)];
        if (absent.Length > 0)
        {
            throw new FileNotFoundException(
                Throw.Invariant($"{PathOf(0)}: expected all {Count} parts of the model beside each other, found no {Shortened.List(absent.Select(path => Path.GetFileName(path)))}; download them"),
                absent[0]);
        }
    }

    /// <summary>Refuses a part that is not what its name says.</summary>
    /// <param name="number">Which part, from 0 on.</param>
    /// <param name="own">Its metadata.</param>
    /// <param name="first">Those of the first part.</param>
    /// <exception cref="InvalidDataException">It is another part, or one of another model.</exception>
    public void Require(int number, GgufMetadata own, GgufMetadata first)
    {
        (int foundNumber, int foundCount) = (own.GetInteger(NumberKey, -1), own.GetInteger(CountKey, -1));
        if (foundNumber != number || foundCount != Count)
        {
            throw new InvalidDataException(Throw.Invariant(
                $"expected {NumberKey} {number} and {CountKey} {Count}, found {foundNumber} and {foundCount}; use the parts of one model"));
        }

        RequireSame(number, own, first, GgufLayout.ArchitectureKey, static (metadata, key) => metadata.GetString(key));
        RequireSame(number, own, first, TensorsKey, static (metadata, key) => metadata.ContainsKey(key) ? Throw.Invariant($"{metadata.GetInteger(key)}") : null);
    }

    /// <summary>Refuses parts that together have another number of tensors than they say.</summary>
    /// <exception cref="InvalidDataException">The numbers differ.</exception>
    public void RequireTensors(GgufMetadata metadata, int found)
    {
        int expected = metadata.GetInteger(TensorsKey, found);
        if (expected != found)
        {
            throw new InvalidDataException(Throw.Invariant($"{PathOf(0)}: expected {TensorsKey} {expected} in all parts, found {found} tensors; use the parts of one model"));
        }
    }

    private void RequireSame(int number, GgufMetadata own, GgufMetadata first, string key, Func<GgufMetadata, string, string?> valueOf)
    {
        if (valueOf(own, key) is { } found && found != valueOf(first, key))
        {
            throw new InvalidDataException(
                $"expected {key} {Shortened.Text(valueOf(first, key) ?? "none")} as in the first part, found {Shortened.Text(found)}; use the parts of one model");
        }
    }

    private string Ending(int number) => string.Create(CultureInfo.InvariantCulture, $"-{number + 1:d5}-of-{Count:d5}.gguf");

    [GeneratedRegex("^(?<stem>.*)-[0-9]{5}-of-[0-9]{5}\\.gguf$", RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex PartName();
}
