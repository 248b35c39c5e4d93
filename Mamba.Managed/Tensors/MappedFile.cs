using System.IO.MemoryMappedFiles;

namespace Mamba.Managed.Tensors;

/// <summary>A file mapped for reading: one mapping for all of its tensors.</summary>
/// <remarks>
/// <code>
/// mapped file: | header | region | region | ... |      read-only pages, loaded when touched and shared with the page cache
/// </code>
/// Linux allows a process about 65,000 mappings, so all tensors of a file share one. Disposing the file disposes its regions; it is unmapped
/// with the last lease of any region. A file that is not disposed is unmapped once neither it nor a region is reachable.
/// The file must not be truncated while it is mapped: reading a page that no longer exists ends the process.
/// </remarks>
internal sealed unsafe class MappedFile : IDisposable
{
    // fault_around_bytes of Linux: a page fault maps this many bytes around the faulting address. Where the value differs, a few more pages
    // stay mapped.
    private const uint Around = 1 << 16;

    private readonly MemoryMappedViewAccessor view;
    private readonly List<TensorBuffer> regions = [];
    private byte* start;
    private int holds = 1;
    private int disposed;

    private MappedFile(MemoryMappedViewAccessor view, long length)
    {
        this.view = view;
        Length = length;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        start += view.PointerOffset;
    }

    /// <summary>Unmaps a file that was not disposed.</summary>
    ~MappedFile() => Unmap();

    /// <summary>Length in bytes.</summary>
    public long Length { get; }

    /// <summary>Maps the whole of an open file.</summary>
    /// <param name="file">Not empty; may be closed afterwards: the mapping stays.</param>
    public static MappedFile Open(FileStream file)
    {
        using MemoryMappedFile mapping =
            MemoryMappedFile.CreateFromFile(file, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        long length = file.Length;
        return new MappedFile(mapping.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read), length);
    }

    /// <summary>A part of the file as a buffer of its own. Not to be called from several threads.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The part does not lie within the file.</exception>
    /// <exception cref="ObjectDisposedException">The file has been disposed.</exception>
    public TensorBuffer Region(long offset, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length - length, nameof(length));
        ObjectDisposedException.ThrowIf(disposed != 0, this);
        Interlocked.Increment(ref holds);
        TensorBuffer region = new(this, start + offset, length);
        regions.Add(region);
        return region;
    }

    /// <summary>Disposes every region, and unmaps the file with the last lease.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
        {
            regions.ForEach(region => region.Dispose());
            Release();
        }

        // Only leases keep the mapping now, and the last of them unmaps it; no finalizer is needed.
        GC.SuppressFinalize(this);
    }

    /// <summary>Drops the pages of a region, and the pages around it that were mapped with them; a dropped page is read again when touched.</summary>
    /// <param name="from">The first byte.</param>
    /// <param name="length">How many bytes.</param>
    internal void Discard(byte* from, long length)
    {
        byte* first = (byte*)((nuint)from / Around * Around), end = (byte*)(((nuint)from + (nuint)length + Around - 1) / Around * Around);
        first = first < start ? start : first;
        end = end > start + Length ? start + Length : end;
        if (end > first)
        {
            MemoryAdvice.DiscardMappedPages(first, (nuint)(end - first));
        }
    }

    /// <summary>Ends the hold of a region; the last one unmaps the file.</summary>
    internal void Release()
    {
        if (Interlocked.Decrement(ref holds) == 0)
        {
            Unmap();
        }
    }

    private void Unmap()
    {
        if (start is not null)
        {
            start = null;
            view.SafeMemoryMappedViewHandle.ReleasePointer();
            view.Dispose();
        }
    }
}
