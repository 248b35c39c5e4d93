using System.Runtime.InteropServices;

namespace Mamba.Managed.Tests.Fuzz;

/// <summary>Memory that ends at a page which nobody may touch: who reads or writes one element too many ends the process.</summary>
/// <remarks>On Linux alone. A few pieces are given out in turn, so that the rows of one call lie in different ones.</remarks>
internal sealed unsafe partial class GuardedRows : IDisposable
{
    private const int Pieces = 8;
    private const int PieceBytes = 1 << 18;
    private const int PrivateAnonymous = 0x22;
    private const int ReadWrite = 3;

    private readonly nint[] pieces = new nint[Pieces];
    private int next;

    public GuardedRows()
    {
        for (int i = 0; i < Pieces; i++)
        {
            pieces[i] = Map(0, (nuint)(PieceBytes + Environment.SystemPageSize), ReadWrite, PrivateAnonymous, -1, 0);
            if (pieces[i] == -1 || Protect(pieces[i] + PieceBytes, (nuint)Environment.SystemPageSize, 0) != 0)
            {
                throw new InvalidOperationException("expected memory with a guard page, found none");
            }
        }
    }

    /// <summary>Copies numbers to just before a guard page.</summary>
    /// <returns>The first; null where there are too many.</returns>
    public float* Place(ReadOnlySpan<float> values)
    {
        if (values.Length > PieceBytes / sizeof(float))
        {
            return null;
        }

        float* end = (float*)(pieces[next++ % Pieces] + PieceBytes);
        values.CopyTo(new Span<float>(end - values.Length, values.Length));
        return end - values.Length;
    }

    /// <inheritdoc/>
    public void Dispose() => Array.ForEach(pieces, piece => _ = Unmap(piece, (nuint)(PieceBytes + Environment.SystemPageSize)));

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint at, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(nint at, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint at, nuint length);
}
