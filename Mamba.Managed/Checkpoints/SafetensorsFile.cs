using System.Buffers.Binary;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>A safetensors file, its tensors mapped for reading and not copied.</summary>
/// <remarks>
/// <code>
/// | n: 8 bytes, little-endian | header: n bytes of JSON | data of the tensors, one after another |
/// </code>
/// The format is that of huggingface/safetensors. After a header that is not a multiple of 8 bytes, or with tensors of mixed types, data may be
/// unaligned for their type; x64 and Arm64 read such elements correctly. The file must not be truncated while it is open.
/// </remarks>
internal sealed class SafetensorsFile : IDisposable
{
    /// <summary>The longest header that is read, in bytes; the format's own limit.</summary>
    public const int MaxHeaderLength = 100_000_000;

    private const int PrefixLength = sizeof(ulong);

    private readonly MappedFile file;

    private SafetensorsFile(MappedFile file, SafetensorsHeader header)
    {
        this.file = file;
        Tensors = TensorRegion.Map(file, header.Regions);
        Metadata = header.Metadata;
    }

    /// <summary>The tensors by name, in the order of the header; disposed with the file.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors { get; }

    /// <summary>The <c>__metadata__</c> of the header; empty where there is none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Maps a file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file breaks a rule of the format, or holds a type other than F32, F16, BF16 and I64.</exception>
    public static SafetensorsFile Open(string path) => UntrustedFile.Read(path, file =>
    {
        SafetensorsHeader header = ReadHeader(file);
        return new SafetensorsFile(MappedFile.Open(file), header);
    });

    /// <summary>Writes a file: to a temporary file beside <paramref name="path"/> that is flushed to the disk and renamed.</summary>
    /// <param name="path">The file to create or to replace.</param>
    /// <param name="tensors">By name. Wider element types are written first, so that all data are aligned; otherwise the order is kept.</param>
    /// <param name="metadata">Strings for the header's <c>__metadata__</c>.</param>
    /// <exception cref="ArgumentException">Two tensors have the same name, or a tensor is named <c>__metadata__</c>.</exception>
    public static void Save(string path, IEnumerable<KeyValuePair<string, Tensor>> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        KeyValuePair<string, Tensor>[] ordered = [.. tensors.OrderByDescending(t => t.Value.Type.Size())];
        HashSet<string> names = [];
        foreach ((string name, _) in ordered)
        {
            if (SafetensorsHeader.IsReserved(name) || !names.Add(name))
            {
                Throw.Argument($"expected each name once and none reserved, found {name}", nameof(tensors));
            }
        }

        AtomicFile.Write(path, stream => Write(stream, ordered, metadata));
    }

    /// <summary>Unmaps the file and disposes its tensors.</summary>
    public void Dispose() => file.Dispose();

    private static SafetensorsHeader ReadHeader(FileStream file)
    {
        FileKind.Safetensors.Require(file);
        if (file.Length < PrefixLength)
        {
            throw new InvalidDataException(Throw.Invariant($"expected a header length of {PrefixLength} bytes, found a file of {file.Length}; the file is not complete"));
        }

        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(UntrustedFile.ReadBytes(file, 0, PrefixLength));
        long most = Math.Min(MaxHeaderLength, file.Length - PrefixLength);
        if (length > (ulong)most)
        {
            throw new InvalidDataException(Throw.Invariant(
                $"expected a header of at most {most} bytes, found one of {length}; the file is not complete, or not in the safetensors format"));
        }

        long dataStart = PrefixLength + (long)length;
        return SafetensorsHeader.Parse(UntrustedFile.ReadBytes(file, PrefixLength, (int)length), dataStart, file.Length - dataStart);
    }

    private static void Write(Stream stream, KeyValuePair<string, Tensor>[] tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        byte[] header = SafetensorsHeader.Format(tensors, metadata);
        Span<byte> prefix = stackalloc byte[PrefixLength];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)header.Length);
        stream.Write(prefix);
        stream.Write(header);
        foreach ((_, Tensor tensor) in tensors)
        {
            tensor.WriteTo(stream);
        }
    }
}
