using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>How the tile of a quantized format accumulates products of weight codes and quantized activations.</summary>
/// <remarks>
/// One type for each way, rather than an if in the innermost loop: the JIT would import and inline all branches at each of some hundred places before
/// it drops the dead ones. Each type adds to both vectors without a helper, because one more call level exceeds the JIT's inlining budget.
/// </remarks>
internal interface IDotAccumulation
{
    static abstract void Add<L, V>(float x, V w0, V w1, ref V sum0, ref V sum1)
        where L : struct, ILanes<V>;
}

/// <summary>Bytes into 16-bit sums: pairs of products are added to a word, and the two words of a lane are added only at the end of a group.</summary>
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

/// <summary>16-bit words into 32-bit sums, two products at a time.</summary>
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

/// <summary>Bytes into 32-bit sums, four products at a time.</summary>
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
