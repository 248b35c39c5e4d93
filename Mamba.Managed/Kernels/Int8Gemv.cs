using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Kernels;

/// <summary>Gemv with panels of signed bytes, <see cref="Q8_0"/>: the block format that is bound by memory bandwidth alone.</summary>
/// <param name="row">Quantized inputs of one row, in groups of 32, as <see cref="QuantizedActivations.Pack"/> leaves them.</param>
/// <param name="depth">How many inputs.</param>
/// <param name="panels">The first panel, at the first of these inputs.</param>
/// <param name="panelBytes">Bytes from one panel to the next.</param>
/// <param name="outputs">[16 panels]: 0 or the sums so far.</param>
internal readonly unsafe struct Int8Gemv(float* row, int depth, byte* panels, nint panelBytes, float* outputs) : IPanelGemv
{
    private const int Width = PackedMatrix.PanelWidth;
    private const int ScaleBytes = Width * sizeof(ushort);
    private const int FetchedAhead = 512;
    private const int Quads = ICodePlanes.UnitLength / ICodePlanes.QuadLength;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Compute<L, V, Pairs>(int panel, int lane)
        where L : struct, ILanes<V>
        where Pairs : unmanaged, ICount
    {
        nint second = PanelGemv.Second<L, V>(ICodePlanes.QuadLength * L.Count, panelBytes), next = PanelGemv.Next<L, V>(panelBytes), step = PanelGemv.Next<L, V>(Width);
        byte* block = panels + (panel * panelBytes);
        float* x = row, y = outputs + (panel * Width) + lane;
        for (int remaining = depth; remaining > 0; remaining -= ICodePlanes.UnitLength)
        {
            byte* scales = block + (sizeof(ushort) * lane);
            byte* a = block + ScaleBytes + (ICodePlanes.QuadLength * lane), b = a + next, c = b + next, d = c + next;
            V scale = L.Broadcast(x[1]);
            V a0 = L.Broadcast(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
            x += QuantizedActivations.HeadLength;
            for (float* end = x + Quads; x < end; x++)
            {
                V quad = L.Broadcast(*x);
                PanelGemv.Fetch<L, V>(a + FetchedAhead, a + FetchedAhead + second);
                a0 = Add<L, V>(a0, a, quad);
                a1 = Add<L, V>(a1, a + second, quad);
                a += CodePlane.RowBytes;
                if (sizeof(Pairs) > 1)
                {
                    PanelGemv.Fetch<L, V>(b + FetchedAhead, b + FetchedAhead + second);
                    b0 = Add<L, V>(b0, b, quad);
                    b1 = Add<L, V>(b1, b + second, quad);
                    b += CodePlane.RowBytes;
                }

                if (sizeof(Pairs) > 2)
                {
                    PanelGemv.Fetch<L, V>(c + FetchedAhead, c + FetchedAhead + second);
                    c0 = Add<L, V>(c0, c, quad);
                    c1 = Add<L, V>(c1, c + second, quad);
                    c += CodePlane.RowBytes;
                    PanelGemv.Fetch<L, V>(d + FetchedAhead, d + FetchedAhead + second);
                    d0 = Add<L, V>(d0, d, quad);
                    d1 = Add<L, V>(d1, d + second, quad);
                    d += CodePlane.RowBytes;
                }
            }

            Finish<L, V>(y, scales, scale, a0, a1);
            if (sizeof(Pairs) > 1)
            {
                Finish<L, V>(y + step, scales + next, scale, b0, b1);
            }

            if (sizeof(Pairs) > 2)
            {
                Finish<L, V>(y + (2 * step), scales + (2 * next), scale, c0, c1);
                Finish<L, V>(y + (3 * step), scales + (3 * next), scale, d0, d1);
            }

            block = a - (ICodePlanes.QuadLength * lane);
        }
    }

    // Adds the products of a quad.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Add<L, V>(V sum, byte* codes, V x)
        where L : struct, ILanes<V> =>
        L.AddIntegers(sum, L.MultiplyAddWords(L.MultiplyAddSignedBytes(L.Load((float*)codes), x), L.Broadcast(BitConverter.Int32BitsToSingle(0x00010001))));

    // Scales the integer sums of a pair of vectors and adds them to the outputs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Finish<L, V>(float* y, byte* scales, V scale, V sum0, V sum1)
        where L : struct, ILanes<V>
    {
        nint second = PanelGemv.Second<L, V>(sizeof(ushort) * L.Count, panelBytes);
        L.Store(y, L.MultiplyAdd(L.Multiply(L.FromScaledHalf((ushort*)scales), scale), L.ToSingle(sum0), L.Load(y)));
        L.Store(y + L.Count, L.MultiplyAdd(L.Multiply(L.FromScaledHalf((ushort*)(scales + second)), scale), L.ToSingle(sum1), L.Load(y + L.Count)));
    }
}
