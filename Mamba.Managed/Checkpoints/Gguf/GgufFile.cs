using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>A GGUF file, mapped into memory: metadata and tensors under the names that the file gives them.</summary>
/// <remarks>The tensors are disposed with the file; the metadata are copies and outlive it. The file must not be truncated while it is open.</remarks>
internal sealed class GgufFile : IDisposable
{
    // The metadata are copied, so their length is limited: to that of the longest tokenizer file.
    private const long LongestHeader = 256L << 20;

    private readonly Dictionary<string, Tensor> tensors = new(StringComparer.Ordinal);
    private readonly List<MappedFile> files = [];
    private readonly List<string> paths = [];

    private GgufFile()
    {
    }

    /// <summary>The version of the format: 2 or 3.</summary>
    public int Version { get; private set; }

    /// <summary>The values by key; of the first part where there are several.</summary>
    public GgufMetadata Metadata { get; private set; } = new();

    /// <summary>The tensors by name; dimensions slowest first, the reverse of the file's.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors => tensors;

    /// <summary>The file, or its parts in order.</summary>
    public IReadOnlyList<string> Paths => paths;

    /// <summary>The architecture of the model, for example <c>mamba</c>; null if the file does not name one.</summary>
    /// <exception cref="InvalidDataException">The value is not a string.</exception>
    public string? Architecture => Metadata.GetString(GgufLayout.ArchitectureKey);

    /// <summary>Opens a file and checks its header; of a model in parts all of them.</summary>
    /// <param name="path">The file: version 2 or 3, little endian. Any part of several: the others are found by their names.</param>
    /// <exception cref="FileNotFoundException">There is no such file, or a part is missing.</exception>
    /// <exception cref="InvalidDataException">The file is damaged or incomplete, or contains an unsupported type, or parts do not belong together; the message says where.</exception>
    public static GgufFile Open(string path)
    {
        GgufFile opened = new();
        try
        {
            GgufParts? parts = null;
            opened.Add(path, metadata => parts = GgufParts.Of(path, metadata));
            if (parts is not null)
            {
                opened.Reopen(parts);
            }

            return opened;
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>Writes a file of version 3 to a temporary name, flushes it and renames it to <paramref name="path"/>.</summary>
    /// <param name="path">The file; replaced when it exists.</param>
    /// <param name="metadata">Written in its order.</param>
    /// <param name="tensors">Names and tensors, written in their order.</param>
    /// <exception cref="ArgumentException">A name is given twice, or a tensor has no dimension or more than four.</exception>
    public static void Save(string path, GgufMetadata metadata, IEnumerable<KeyValuePair<string, Tensor>> tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        GgufWriter.Write(path, metadata, [.. tensors.Select(pair => new GgufEntry(pair.Key, pair.Value.Type, pair.Value.Shape.ToArray(), () => pair.Value))]);
    }

    /// <summary>Unmaps the file and disposes its tensors.</summary>
    public void Dispose() => files.ForEach(file => file.Dispose());

    // The first part has the metadata, and need not be the one that was opened first.
    private void Reopen(GgufParts parts)
    {
        Dispose();
        files.Clear();
        paths.Clear();
        tensors.Clear();
        parts.RequireAll();
        for (int i = 0; i < parts.Count; i++)
        {
            int number = i;
            Add(parts.PathOf(i), metadata => parts.Require(number, metadata, Metadata));
        }

        parts.RequireTensors(Metadata, tensors.Count);
    }

    // The metadata of the first part are those of the model.
    private void Add(string path, Action<GgufMetadata> check) => UntrustedFile.Read(path, file =>
    {
        FileKind.Gguf.Require(file);
        if (file.Length < 24)
        {
            throw new InvalidDataException(Throw.Invariant($"expected at least 24 bytes of GGUF header, found a file of {file.Length}"));
        }

        MappedFile mapped = MappedFile.Open(file);
        files.Add(mapped);

        // Only the pages of the header are touched.
        using TensorBuffer start = mapped.Region(0, Math.Min(mapped.Length, LongestHeader));
        GgufHeader header = GgufHeader.Read(start, mapped);
        if (paths.Count == 0)
        {
            (Version, Metadata) = (header.Version, header.Metadata);
        }

        check(header.Metadata);
        paths.Add(path);
        AddTensors(header, mapped);
        return header;
    });

    private void AddTensors(GgufHeader header, MappedFile mapped)
    {
        if (header.Tensors.Count > GgufHeader.MostEntries - tensors.Count)
        {
            throw new InvalidDataException(Throw.Invariant($"expected at most {GgufHeader.MostEntries} tensors in all parts, found more"));
        }

        foreach (GgufTensor tensor in header.Tensors)
        {
            if (!tensors.TryAdd(tensor.Name, new Tensor(tensor.Type, tensor.Shape, mapped.Region(tensor.Offset, tensor.Length), 0)))
            {
                throw new InvalidDataException($"{Shortened.Text(tensor.Name)}: expected a tensor in one part, found it in two; use the parts of one model");
            }
        }
    }
}
