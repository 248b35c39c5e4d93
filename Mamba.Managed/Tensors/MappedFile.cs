using System.IO.MemoryMappedFiles;

namespace Mamba.Managed.Tensors;

/// <summary>A file mapped for reading: one mapping, however many tensors lie in it.</summary>
/// <remarks>
/// <code>
/// mapped file: | header | region | region | ... |      read-only pages, loaded when touched and shared with the page cache
/// </code>
/// A system gives a process some 65,000 mappings, so tensors share one a file. Disposing the file disposes its regions; the mapping goes with
/// the last lease of any of them. A file that is not disposed is unmapped once neither it nor a region is reachable.
/// The file must not be shortened while it is mapped: a page that is gone ends the process.
/// </remarks>
internal sealed unsafe class MappedFile : IDisposable
{
    // Linux maps so many bytes around one that is touched, fault_around_bytes; other sizes only leave a few pages more.
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

        // What holds the file now are leases, and each of them ends.
        GC.SuppressFinalize(this);
    }

    /// <summary>Gives back the pages of a region, and those around it that came with them; whoever needs one of these reads it again.</summary>
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

    /// <summary>Takes back what a region holds.</summary>
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
