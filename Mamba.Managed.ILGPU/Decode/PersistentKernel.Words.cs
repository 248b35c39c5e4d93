using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Decode;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <summary>How groups pass numbers to each other.</summary>
/// <remarks>
/// A word is written at once, so that its tag vouches for its number: no barrier over the grid, no fence, and the way from writer to reader is one
/// store and one load. An array is written anew only after every group has read it: whoever writes has by then received, directly or through
/// others, something that each group sent after it had read.
/// </remarks>
internal static partial class PersistentKernel
{
    /// <summary>How often a thread looks for numbers before it goes on without: if a group should never come, the others end all the same, with logits that are not numbers.</summary>
    private const int Patience = 1 << 20;

    [Inlined]
    private static void Send(TaggedWords words, int index, float value, int tag)
    {
        long word = ((long)tag << 32) | Interop.FloatAsInt(value);
        if (Emulated)
        {
            words.View[index] = word;
        }
        else
        {
            Ptx.StoreRelaxed(words.Address + (index * 8L), word);
        }
    }

    /// <summary>Waits for the words start, start + stride and so on, as many as there are before the end; for others the value is zero.</summary>
    [Inlined]
    private static void Receive(TaggedWords words, int start, int stride, int end, int tag, float[] values)
    {
        if (Emulated)
        {
            for (int i = Unroll.From(0); i < values.Length; i++)
            {
                values[i] = start + (i * stride) < end ? Value(words.View[start + (i * stride)], tag) : 0f;
            }
        }
        else
        {
            bool isMissing = Await(words.Address, start, stride, end, tag, values.Length);
            for (int i = Unroll.From(0); i < values.Length; i++)
            {
                values[i] = Ptx.ReadLower("word", i);
                values[i] = isMissing ? float.NaN : values[i];
            }
        }
    }

    [Inlined]
    private static bool Await(long address, int start, int stride, int end, int tag, int count)
    {
        for (int i = Unroll.From(0); i < count; i++)
        {
            Ptx.SetWideZero("word", i);
        }

        int isMissing = 1;
        for (int look = 0; look < Patience && isMissing != 0; look++)
        {
            for (int i = Unroll.From(0); i < count; i++)
            {
                Ptx.LoadRelaxed("word", i, address + ((start + (i * stride)) * 8L), start + (i * stride), end);
            }

            Ptx.SetZero("missing", 0);
            for (int i = Unroll.From(0); i < count; i++)
            {
                Ptx.CompareTag("missing", 0, "word", i, tag, start + (i * stride), end);
            }

            isMissing = Ptx.ReadInteger("missing", 0);
        }

        return isMissing != 0;
    }

    [Inlined]
    private static void DeclareWords()
    {
        if (!Emulated)
        {
            Ptx.DeclareWide("word", SharesInFlight);
            Ptx.Declare("missing", 1);
        }
    }

    /// <summary>Without NVIDIA's instructions the threads of a group wait together until all words of an array are there.</summary>
    [Inlined]
    private static void Settle(TaggedWords words, int count, int tag)
    {
        if (Emulated)
        {
            bool isMissing = true;
            while (isMissing)
            {
                isMissing = false;
                for (int i = Group.IdxX; i < count; i += Group.DimX)
                {
                    isMissing |= (int)(words.View[i] >> 32) != tag;
                }

                isMissing = Group.BarrierOr(isMissing);
            }
        }
    }

    private static float Value(long word, int tag) => (int)(word >> 32) == tag ? Interop.IntAsFloat((uint)word) : float.NaN;
}
