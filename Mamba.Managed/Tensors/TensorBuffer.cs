using System.Buffers;
using System.IO.MemoryMappedFiles;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Mamba.Managed.Tensors;

/// <summary>Owns the bytes under one or more tensors: 64-byte-aligned memory, or a region of a memory-mapped file.</summary>
/// <remarks>
/// <code>
/// allocated:   | 0 ............................. Length |      starts at a multiple of 64; zero-filled
/// mapped file: [ header | 0 ........... Length | ... ]         read-only pages; a write faults, so tensors over it are never written
/// </code>
/// A buffer frees its memory when disposed or, failing that, when collected. Spans taken from it must not outlive it;
/// a <see cref="Tensor"/> keeps its buffer alive.
/// </remarks>
public sealed unsafe class TensorBuffer : IDisposable
{
    /// <summary>The alignment of allocated buffers in bytes: a cache line, and the widest vector.</summary>
    public const int Alignment = 64;

    private readonly MemoryMappedViewAccessor? view;
    private readonly TensorBuffer? whole;
    private byte* start;
    private int holds = 1;
    private int disposed;

    private TensorBuffer(byte* start, long length, MemoryMappedViewAccessor? view, TensorBuffer? whole = null)
    {
        this.start = start;
        this.view = view;
        this.whole = whole;
        Length = length;
        if (IsOwner && length > 0)
        {
            GC.AddMemoryPressure(length);
        }
    }

    /// <summary>Frees the memory of a buffer that was not disposed.</summary>
    /// <remarks>A lease keeps its buffer reachable, so none is left by then.</remarks>
    ~TensorBuffer() => Free();

    /// <summary>Length in bytes.</summary>
    public long Length { get; }

    private bool IsOwner => view is null && whole is null;

    /// <summary>Whether the bytes belong to a mapped file and must not be written.</summary>
    public bool IsReadOnly => view is not null;

    /// <summary>The first byte.</summary>
    /// <exception cref="ObjectDisposedException">The buffer has been disposed.</exception>
    internal byte* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(start is null, this);
            return start;
        }
    }

    /// <summary>The first multiple of <see cref="Alignment"/> in memory on the stack, which has to be as much longer.</summary>
    internal static unsafe float* Align(float* room) => (float*)(((nuint)room + Alignment - 1) & ~(nuint)(Alignment - 1));

    /// <summary>Allocates zero-filled memory whose first byte lies at a multiple of <see cref="Alignment"/>.</summary>
    /// <param name="bytes">How many bytes; 0 is allowed.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="bytes"/> is negative.</exception>
    /// <exception cref="OutOfMemoryException">The system has not that much memory.</exception>
    public static TensorBuffer Allocate(long bytes) => Allocate(bytes, clear: true);

    /// <summary>As <see cref="Allocate(long)"/>; what is not cleared must be written before it is read.</summary>
    internal static TensorBuffer Allocate(long bytes, bool clear)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        nuint size = (nuint)Math.Max(bytes, 1);
        size = (size + Alignment - 1) / Alignment * Alignment;
        byte* memory = (byte*)NativeMemory.AlignedAlloc(size, size < HugePages.Length ? Alignment : HugePages.Length);
        if (size >= HugePages.Length)
        {
            HugePages.Request(memory, size);
        }

        if (clear)
        {
            NativeMemory.Clear(memory, size);
        }

        return new TensorBuffer(memory, bytes, null);
    }

    /// <summary>Maps a region of a file for reading. The pages are loaded when touched and shared with the page cache.</summary>
    /// <param name="file">An open mapping of the file.</param>
    /// <param name="offset">The first byte of the region.</param>
    /// <param name="length">Length of the region in bytes.</param>
    public static TensorBuffer Map(MemoryMappedFile file, long offset, long length)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        MemoryMappedViewAccessor view = file.CreateViewAccessor(offset, length, MemoryMappedFileAccess.Read);
        byte* pointer = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
        return new TensorBuffer(pointer + view.PointerOffset, length, view);
    }

    /// <summary>A part of allocated memory as a buffer of its own; the memory lives as long as the whole or any part is reachable.</summary>
    internal TensorBuffer Part(long offset, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + length, Length, nameof(length));
        return new TensorBuffer(Pointer + offset, length, null, this);
    }

    /// <summary>The bytes [<paramref name="offset"/>, <paramref name="offset"/> + count x sizeof(T)) as elements.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range does not lie within the buffer.</exception>
    public Span<T> Span<T>(long offset, int count)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + ((long)count * Unsafe.SizeOf<T>()), Length, nameof(count));
        return new Span<T>(Pointer + offset, count);
    }

    /// <summary>The same elements as <see cref="Span{T}"/>, in a form that can be kept on the heap.</summary>
    public Memory<T> Memory<T>(long offset, int count)
        where T : unmanaged
    {
        _ = Span<T>(offset, count);
        return new View<T>(this, offset, count).Memory;
    }

    /// <summary>Keeps the memory from being freed until the lease is disposed, whoever disposes the buffer meanwhile.</summary>
    /// <exception cref="ObjectDisposedException">The buffer has been disposed.</exception>
    internal Lease Acquire()
    {
        if (whole is not null)
        {
            ObjectDisposedException.ThrowIf(disposed != 0, this);
            return whole.Acquire();
        }

        for (int seen = Volatile.Read(ref holds); ;)
        {
            ObjectDisposedException.ThrowIf(seen == 0 || Volatile.Read(ref disposed) != 0, this);
            int found = Interlocked.CompareExchange(ref holds, seen + 1, seen);
            if (found == seen)
            {
                return new Lease(this);
            }

            seen = found;
        }
    }

    /// <inheritdoc/>
    /// <remarks>Memory that is leased is freed with the last lease.</remarks>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
        {
            Release();
        }

        GC.SuppressFinalize(this);
    }

    private void Release()
    {
        if (Interlocked.Decrement(ref holds) == 0)
        {
            Free();
        }
    }

    private void Free()
    {
        if (start is null)
        {
            return;
        }

        if (view is not null)
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
            view.Dispose();
        }
        else if (IsOwner)
        {
            NativeMemory.AlignedFree(start);
            if (Length > 0)
            {
                GC.RemoveMemoryPressure(Length);
            }
        }

        start = null;
    }

    /// <summary>A claim on a buffer's memory; <c>default</c> claims nothing.</summary>
    internal readonly struct Lease(TensorBuffer owner) : IDisposable
    {
        /// <inheritdoc/>
        public void Dispose() => owner?.Release();
    }

    private sealed class View<T>(TensorBuffer owner, long offset, int count) : MemoryManager<T>
        where T : unmanaged
    {
        public override Span<T> GetSpan() => owner.Span<T>(offset, count);

        // The memory never moves, so pinning only has to keep the owner reachable, which the handle's pinnable does.
        public override MemoryHandle Pin(int elementIndex = 0) =>
            new((T*)(owner.Pointer + offset) + elementIndex, default, this);

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
