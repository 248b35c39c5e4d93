using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>How the tile of a quantized format adds products of codes and numbers to a sum.</summary>
/// <remarks>
/// A type of its own for each way: a choice in the innermost line would be inlined, and compiled, a hundred times. Each adds to both vectors by
/// itself: with one more call in between a tile is more than the JIT is ready to inline.
/// </remarks>
internal interface IDotAccumulation
{
    static abstract void Add<L, V>(float x, V w0, V w1, ref V sum0, ref V sum1)
        where L : struct, ILanes<V>;
}

/// <summary>Bytes; of four products each two make a word, which is added up with its neighbor only at the end of a group.</summary>
internal readonly struct Int16Sums : IDotAccumulation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add<L, V>(float x, V w0, V w1, ref V sum0, ref V sum1)
        where L : struct, ILanes<V>
    {
        V value = L.Broadcast(x);
        sum0 = L.AddWords(sum0, L.MultiplyAddBytes(w0, value));
        sum1 = L.AddWords(sum1, L.MultiplyAddBytes(w1, value));
    }
}

/// <summary>Words; two products at a time join an integer.</summary>
internal readonly struct Int16Products : IDotAccumulation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add<L, V>(float x, V w0, V w1, ref V sum0, ref V sum1)
        where L : struct, ILanes<V>
    {
        V value = L.Broadcast(x);
        sum0 = L.AddIntegers(sum0, L.MultiplyAddWords(w0, value));
        sum1 = L.AddIntegers(sum1, L.MultiplyAddWords(w1, value));
    }
}

/// <summary>Bytes; four products at a time join an integer.</summary>
internal readonly struct Int8Products : IDotAccumulation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add<L, V>(float x, V w0, V w1, ref V sum0, ref V sum1)
        where L : struct, ILanes<V>
    {
        V value = L.Broadcast(x);
        sum0 = L.DotAccumulate(sum0, w0, value);
        sum1 = L.DotAccumulate(sum1, w1, value);
    }
}
