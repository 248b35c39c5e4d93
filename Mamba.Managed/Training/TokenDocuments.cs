using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Training;

/// <summary>Documents as token ids: in memory, or mapped from a token file, of which only the pages read are loaded.</summary>
/// <remarks>
/// The file, all numbers little-endian; its length must be exactly that of its header's counts:
/// <code>| "MAMBATOK" | version: int32 | 0: int32 | documents: int64 | tokens: int64 | starts: int64 [documents + 1] | ids: int32 [tokens] |</code>
/// Any number of threads may read; the memory is freed or the file unmapped once the documents are disposed and the last read has ended.
/// </remarks>
public sealed class TokenDocuments : IDisposable
{
    private const int HeaderLength = 32;
    private const int Version = 1;

    // Looked through together; the data of a training may be larger than memory.
    private const int ScannedIds = 1 << 22;

    private readonly MappedFile? file;
    private readonly TensorBuffer starts;
    private readonly TensorBuffer ids;

    private TokenDocuments(MappedFile? file, TensorBuffer starts, TensorBuffer ids, int count, long tokenCount)
    {
        (this.file, this.starts, this.ids) = (file, starts, ids);
        (Count, TokenCount) = (count, tokenCount);
    }

    private static ReadOnlySpan<byte> Magic => "MAMBATOK"u8;

    /// <summary>How many documents.</summary>
    public int Count { get; }

    /// <summary>Tokens of all documents.</summary>
    public long TokenCount { get; }

    /// <summary>One line that other documents share only if they are the same.</summary>
    internal string Description => field ??= Throw.Invariant($"data {Digest()} of {TokenCount} tokens");

    /// <summary>Documents kept in memory.</summary>
    /// <param name="documents">The ids of each; empty ones are left out.</param>
    public static TokenDocuments Of(IEnumerable<int[]> documents)
    {
        ArgumentNullException.ThrowIfNull(documents);
        int[][] all = [.. documents.Where(document => (document ?? Throw.Argument<int[]>("expected documents, found null among them", nameof(documents))).Length > 0)];
        TensorBuffer starts = TensorBuffer.Allocate((all.Length + 1L) * sizeof(long));
        TensorBuffer ids = TensorBuffer.Allocate(all.Sum(document => (long)document.Length) * sizeof(int));
        long start = 0;
        for (int i = 0; i < all.Length; i++)
        {
            all[i].CopyTo(ids.Span<int>(start * sizeof(int), all[i].Length));
            start += all[i].Length;
            starts.Span<long>((i + 1L) * sizeof(long), 1)[0] = start;
        }

        return new(null, starts, ids, all.Length, start);
    }

    /// <summary>Maps a token file.</summary>
    /// <param name="path">A file that <see cref="Save"/> wrote.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, incomplete or not a token file.</exception>
    public static TokenDocuments Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using FileStream stream = UntrustedFile.Open(path);
        Span<byte> header = stackalloc byte[HeaderLength];
        if (stream.ReadAtLeast(header, HeaderLength, throwOnEndOfStream: false) < HeaderLength || !header.StartsWith(Magic))
        {
            throw new InvalidDataException($"{path}: expected a token file, found something else");
        }

        int version = MemoryMarshal.Read<int>(header[8..]);
        long documents = MemoryMarshal.Read<long>(header[16..]), tokens = MemoryMarshal.Read<long>(header[24..]);
        long most = stream.Length / sizeof(int);
        if (version != Version || documents < 0 || documents >= int.MaxValue || documents > most || tokens < 0 || tokens > most
            || HeaderLength + ((documents + 1) * sizeof(long)) + (tokens * sizeof(int)) != stream.Length)
        {
            throw new InvalidDataException(Throw.Invariant(
                $"{path}: expected version {Version} and a length that fits its header, found version {version}, {documents} documents, {tokens} tokens and {stream.Length} bytes; write the file again"));
        }

        MappedFile file = MappedFile.Open(stream);
        long startsLength = (documents + 1) * sizeof(long);
        TensorBuffer starts = file.Region(HeaderLength, startsLength), ids = file.Region(HeaderLength + startsLength, tokens * sizeof(int));
        TokenDocuments found = new(file, starts, ids, (int)documents, tokens);
        try
        {
            found.CheckStarts(path);
            return found;
        }
        catch
        {
            found.Dispose();
            throw;
        }
    }

    /// <summary>Writes a token file atomically: a failed write leaves an existing file unchanged.</summary>
    /// <param name="path">The file; replaced when it exists.</param>
    public void Save(string path) => AtomicFile.Write(path, stream =>
    {
        Span<byte> header = stackalloc byte[HeaderLength];
        header.Clear();
        Magic.CopyTo(header);
        MemoryMarshal.Write(header[8..], Version);
        MemoryMarshal.Write(header[16..], (long)Count);
        MemoryMarshal.Write(header[24..], TokenCount);
        stream.Write(header);
        Copy(starts, stream);
        Copy(ids, stream);
    });

    /// <summary>Where a document begins among all tokens; the number of tokens for the end of the last.</summary>
    /// <param name="document">0 to <see cref="Count"/>.</param>
    public long Start(int document)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(document);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(document, Count);
        using TensorBuffer.Lease lease = starts.Acquire();
        return starts.Span<long>((long)document * sizeof(long), 1)[0];
    }

    /// <summary>Copies some tokens, counted over all documents.</summary>
    /// <param name="start">The first.</param>
    /// <param name="destination">Its length is the number of tokens copied.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range does not lie within the tokens.</exception>
    /// <exception cref="ObjectDisposedException">The documents have been disposed.</exception>
    public void CopyTo(long start, Span<int> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, TokenCount - destination.Length);
        using TensorBuffer.Lease lease = ids.Acquire();
        ids.Span<int>(start * sizeof(int), destination.Length).CopyTo(destination);
    }

    /// <summary>Frees the memory or unmaps the file, after reads in progress on other threads.</summary>
    public void Dispose()
    {
        starts.Dispose();
        ids.Dispose();
        file?.Dispose();
    }

    /// <summary>What is wrong with the first id outside of a vocabulary, and where it is; null where all ids are within.</summary>
    internal string? FirstOutside(int vocabularySize)
    {
        using TensorBuffer.Lease lease = ids.Acquire();
        for (long at = 0; at < TokenCount; at += ScannedIds)
        {
            // As unsigned numbers, negative ids are the largest.
            ReadOnlySpan<uint> part = ids.Span<uint>(at * sizeof(int), (int)Math.Min(ScannedIds, TokenCount - at));
            if (TensorPrimitives.Max(part) >= (uint)vocabularySize)
            {
                int index = 0;
                while (part[index] < (uint)vocabularySize)
                {
                    index++;
                }

                (int document, long place) = Place(at + index);
                return Throw.Invariant(
                    $"expected token ids from 0 to {vocabularySize - 1}, found {(int)part[index]} in document {document + 1} of {Count}, at token {place + 1} of it");
            }
        }

        return null;
    }

    /// <summary>A hash of all data: the first 64 bits of a SHA-256, in hexadecimal digits.</summary>
    internal string Digest()
    {
        using SHA256 hash = SHA256.Create();
        using (CryptoStream stream = new(Stream.Null, hash, CryptoStreamMode.Write))
        {
            Copy(starts, stream);
            Copy(ids, stream);
        }

        return Convert.ToHexStringLower(hash.Hash.AsSpan(0, sizeof(long)));
    }

    private static void Copy(TensorBuffer buffer, Stream stream)
    {
        const int Part = 1 << 20;
        using TensorBuffer.Lease lease = buffer.Acquire();
        for (long at = 0; at < buffer.Length; at += Part)
        {
            stream.Write(buffer.Span<byte>(at, (int)Math.Min(Part, buffer.Length - at)));
        }
    }

    // The document of a token, and which of its tokens it is.
    private (int Document, long Place) Place(long token)
    {
        (int low, int high) = (0, Count - 1);
        while (low < high)
        {
            int middle = low + ((high - low + 1) / 2);
            (low, high) = Start(middle) <= token ? (middle, high) : (low, middle - 1);
        }

        return (low, token - Start(low));
    }

    private void CheckStarts(string path)
    {
        long last = 0;
        for (int i = 0; i <= Count; i++)
        {
            long start = Start(i);
            if ((i == 0 && start != 0) || (i > 0 && start <= last) || (i == Count && start != TokenCount))
            {
                throw new InvalidDataException(Throw.Invariant($"{path}: expected documents to follow each other, found document {i} at {start} after {last}"));
            }

            last = start;
        }
    }
}
