using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Mamba.Managed.Tensors;

/// <summary>Owns the bytes under one or more tensors: 64-byte-aligned memory, or a region of a <see cref="MappedFile"/>.</summary>
/// <remarks>
/// <code>
/// allocated:   | 0 ............................. Length |      starts at a multiple of 64; zero-filled
/// mapped file: [ header | 0 ........... Length | ... ]         read-only pages; a write faults, so tensors over it are never written
/// </code>
/// The rule of ownership:
/// <list type="bullet">
/// <item>The creator of a buffer disposes it; a region is disposed by its file. A buffer that is not disposed is freed once it is unreachable.</item>
/// <item>Spans and pointers never leave the library: public members copy.</item>
/// <item>Inside the library they are used only while a lease is held: <c>using TensorBuffer.Lease lease = buffer.Acquire();</c>. Any thread may
/// dispose a buffer at any time: its memory is freed with the last lease, and a later <see cref="Acquire"/> throws
/// <see cref="ObjectDisposedException"/>. A buffer that a single object owns and guards needs no lease.</item>
/// <item>Code that no longer needs the contents calls <see cref="GiveBack"/> after the last use: see <see cref="BufferUses"/>.</item>
/// </list>
/// </remarks>
internal sealed unsafe class TensorBuffer : IDisposable
{
    /// <summary>The alignment of allocated buffers in bytes: a cache line, and the widest vector.</summary>
    public const int Alignment = 64;

    private readonly MappedFile? file;
    private readonly TensorBuffer? whole;
    private byte* start;
    private int holds = 1;
    private int disposed;

    private TensorBuffer(byte* start, long length, TensorBuffer? whole = null)
    {
        this.start = start;
        this.whole = whole;
        Length = length;
        if (IsOwner && length > 0)
        {
            GC.AddMemoryPressure(length);
        }
    }

    /// <summary>A region of a file, for which the file has counted one hold.</summary>
    internal TensorBuffer(MappedFile file, byte* start, long length)
    {
        this.file = file;
        this.start = start;
        Length = length;

        // The file has its own finalizer, and the order of finalizers is not defined.
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the memory of a buffer that was not disposed.</summary>
    /// <remarks>A lease keeps its buffer reachable, so no lease is left when the finalizer runs.</remarks>
    ~TensorBuffer() => Free();

    /// <summary>Length in bytes.</summary>
    public long Length { get; }

    private bool IsOwner => file is null && whole is null;

    /// <summary>Whether the bytes belong to a mapped file and must not be written.</summary>
    public bool IsReadOnly => file is not null;

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

    /// <summary>The first multiple of <see cref="Alignment"/> at or after an address on the stack; the memory must be <see cref="Alignment"/> bytes longer than needed.</summary>
    internal static unsafe float* Align(float* room) => (float*)(((nuint)room + Alignment - 1) & ~(nuint)(Alignment - 1));

    /// <summary>Allocates zero-filled memory whose first byte lies at a multiple of <see cref="Alignment"/>.</summary>
    /// <param name="bytes">How many bytes; 0 is allowed.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="bytes"/> is negative.</exception>
    /// <exception cref="OutOfMemoryException">The system does not have that much memory.</exception>
    public static TensorBuffer Allocate(long bytes) => Allocate(bytes, clear: true);

    /// <summary>As <see cref="Allocate(long)"/>; memory that is not cleared must be written before it is read.</summary>
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

        return new TensorBuffer(memory, bytes);
    }

    /// <summary>A part of allocated memory as a buffer of its own; the memory lives as long as the whole or any part is reachable.</summary>
    internal TensorBuffer Part(long offset, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length - length, nameof(length));
        return new TensorBuffer(Pointer + offset, length, this);
    }

    /// <summary>The bytes [<paramref name="offset"/>, <paramref name="offset"/> + count x sizeof(T)) as elements.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range does not lie within the buffer.</exception>
    public Span<T> Span<T>(long offset, int count)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length - ((long)count * Unsafe.SizeOf<T>()), nameof(count));
        return new Span<T>(Pointer + offset, count);
    }

    /// <summary>Keeps the memory from being freed until the lease is disposed, even if the buffer is disposed meanwhile.</summary>
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

    /// <summary>Frees memory that is no longer needed: an allocated buffer is disposed; the pages of a mapped region are dropped, and can be read again.</summary>
    /// <exception cref="ObjectDisposedException">The region has been disposed.</exception>
    public void GiveBack()
    {
        if (file is null)
        {
            Dispose();
            return;
        }

        using Lease lease = Acquire();
        file.Discard(start, Length);
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

        if (file is not null)
        {
            file.Discard(start, Length);
            file.Release();
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
}
