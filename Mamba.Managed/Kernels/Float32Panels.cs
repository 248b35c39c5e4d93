using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>Panels of single-precision weights: [inputs, 16].</summary>
internal sealed unsafe class Float32Panels : FloatPanels
{
    public override int PanelBytes(int inputs) => inputs * Width * sizeof(float);

    public override bool Pack(ReadOnlySpan<byte> row, int inputs, byte* panel, int output)
    {
        float* to = (float*)panel + output;
        foreach (float value in MemoryMarshal.Cast<byte, float>(row))
        {
            *to = value;
            to += Width;
        }

        return true;
    }

    public override void CopyRow(byte* panel, int output, Span<float> destination)
    {
        float* from = (float*)panel + output;
        for (int k = 0; k < destination.Length; k++, from += Width)
        {
            destination[k] = *from;
        }
    }

    public override float* Unpack(byte* panel, int first, int depth, float* scratch) => (float*)panel + ((long)first * Width);

    public override void Gemv(float* x, int inputs, byte* panels, int count, float* y) => PanelGemv.Compute(new Float32Gemv(x, inputs, (float*)panels, y), count);

    private readonly struct Float32Gemv(float* x, int inputs, float* panels, float* y) : IPanelGemv
    {
        // Up to eight independent sums, enough to hide the latency of the multiply-adds.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Compute<L, V, Pairs>(int panel, int lane)
            where L : struct, ILanes<V>
            where Pairs : unmanaged, ICount
        {
            nint pitch = (nint)inputs * Width, second = PanelGemv.Second<L, V>(L.Count, pitch), next = PanelGemv.Next<L, V>(pitch);
            float* a = panels + (panel * pitch) + lane, b = a + next, c = b + next, d = c + next;
            V a0 = L.Broadcast(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
            float* from = x, end = x + inputs;
            for (; from < end; from++)
            {
                V value = L.Broadcast(*from);
                a0 = L.MultiplyAdd(value, L.Load(a), a0);
                a1 = L.MultiplyAdd(value, L.Load(a + second), a1);
                a += Width;
                if (sizeof(Pairs) > 1)
                {
                    b0 = L.MultiplyAdd(value, L.Load(b), b0);
                    b1 = L.MultiplyAdd(value, L.Load(b + second), b1);
                    b += Width;
                }

                if (sizeof(Pairs) > 2)
                {
                    c0 = L.MultiplyAdd(value, L.Load(c), c0);
                    c1 = L.MultiplyAdd(value, L.Load(c + second), c1);
                    c += Width;
                    d0 = L.MultiplyAdd(value, L.Load(d), d0);
                    d1 = L.MultiplyAdd(value, L.Load(d + second), d1);
                    d += Width;
                }
            }

            PanelGemv.Store<L, V, Pairs>(y + (panel * Width) + lane, a0, a1, b0, b1, c0, c1, d0, d1);
        }
    }
}
