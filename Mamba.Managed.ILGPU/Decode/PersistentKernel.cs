using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Decode;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <summary>A whole step of one sequence in one launch: groups keep running through all layers and pass numbers to each other.</summary>
/// <remarks>
/// All groups must run at the same time. Each has some channels of every mixer and some features of the residual stream, and what it needs of the
/// weights is read while it waits for numbers: the first weights of the next product into registers, smaller arrays into the device's cache.
/// <para>
/// A layer: every group receives the residual stream and computes its rows of in_proj, the convolution, and its channels' share of each row of
/// x_proj; for each row one group adds up the shares, a group that has no channels where there is one; every group receives dt, B and C, moves its
/// channels' states on, and sends the gated output; every group receives that, and computes its rows of out_proj.
/// </para>
/// <para>As it stands the template runs without NVIDIA's instructions, on devices whose warps have 32 threads.</para>
/// </remarks>
internal static partial class PersistentKernel
{
    /// <summary>The most that fits in shared memory: layers, features or channels, rows of x_proj, rows or parts of rows of a group.</summary>
    public const int MaxLayers = 64;
    public const int MaxVector = 8192;
    public const int MaxProjected = 512;
    public const int MaxRows = 256;
    public const int MaxUnits = 512;

    /// <summary>Whether NVIDIA's instructions are done without.</summary>
    private const bool Emulated = true;

    private const bool BFloat16 = false;

    /// <summary>Weights of in_proj and of out_proj that a thread has on their way, in units of 16 bytes.</summary>
    private const int InDepth = 1;
    private const int OutDepth = 1;

    /// <summary>How many of in_proj a thread loads while dt, B and C are on their way; it loads the others while the gated output is, or where rows are long, while the residual stream is.</summary>
    private const int EarlyDepth = 1;

    /// <summary>Weights of x_proj and dt_proj that a thread loads ahead, in units of four and of one.</summary>
    public const int ShareDepth = 3;
    private const int RankDepth = 2;

    /// <summary>Words for which a thread waits at a time: of vectors, and of the shares of a row of x_proj.</summary>
    private const int WordsInFlight = 2;
    private const int SharesInFlight = 4;

    /// <summary>Entries of conv_state that a thread has on their way.</summary>
    private const int ShiftDepth = 3;

    private const int Arrays = (int)LayerArray.Count;

    [Unrolled("Float32", "Emulated=false", "InDepth=6", "OutDepth=3", "EarlyDepth=0")]
    [Unrolled("BFloat16Weights", "Emulated=false", "BFloat16=true", "InDepth=4", "OutDepth=4", "EarlyDepth=2")]
    [Unrolled("EmulatedBFloat16", "BFloat16=true")]
    internal static void Template(PersistentArguments arguments)
    {
        ArrayView<Float4> vector = SharedMemory.Allocate<Float4>(MaxVector / 4);
        ArrayView<float> sums = SharedMemory.Allocate<float>(MaxUnits);
        ArrayView<float> projected = SharedMemory.Allocate<float>(MaxProjected);
        ArrayView<Float4> mixed = SharedMemory.Allocate<Float4>(MaxRows / 4);
        ArrayView<float> gates = SharedMemory.Allocate<float>(MaxRows);
        ArrayView<float> residual = SharedMemory.Allocate<float>(MaxRows);
        ArrayView<float> squares = SharedMemory.Allocate<float>(32);
        ArrayView<long> places = SharedMemory.Allocate<long>(MaxLayers * Arrays);
        for (int i = Group.IdxX; i < arguments.Layers * Arrays; i += Group.DimX)
        {
            places[i] = arguments.Places[i];
        }

        DeclareWords();
        arguments.FirstState = arguments.Slots[0] * arguments.StateLength;
        Group.Barrier();
        GroupShare share = GroupShare.Of(arguments);
        Float4[] inWeights = new Float4[InDepth];
        Float4[] outWeights = new Float4[OutDepth];
        float[] norms = new float[WordsInFlight];
        WeightSlice head = share.Head(arguments, BFloat16);
        int warp = Group.IdxX >> 5;
        if (share.Channels > 0)
        {
            WeightSlice input = share.Input(arguments, places[(int)LayerArray.InProj], BFloat16);
            WeightSlice output = share.Output(arguments, 0, BFloat16);
            LoadEarly(arguments.Origin, input.Place, input.Unit(warp), inWeights);
            LoadLate(arguments.Origin, input.Place, input.Unit(warp), inWeights);
            LoadNorms(arguments, places[(int)LayerArray.Norm], norms);
            Prefetch(arguments, share, places, 0);
            float convolved = Shift(arguments, share, places, 0);
            for (int layer = 0; layer < arguments.Layers; layer++)
            {
                bool isLast = layer + 1 == arguments.Layers;
                int next = isLast ? layer : layer + 1;
                ArrayView<long> here = places.SubView(layer * Arrays, Arrays);
                ArrayView<long> later = places.SubView(next * Arrays, Arrays);
                ReceiveResidual(arguments, share, here[(int)LayerArray.Norm], layer, norms, vector.Cast<float>(), residual, squares);
                float scale = Scale(arguments, squares);
                input.Place = here[(int)LayerArray.InProj];
                Multiply(arguments.Origin, input, input.Unit(warp), vector, inWeights, sums, scale, false);
                ProjectShares(arguments, share, here, layer, convolved, sums, mixed, gates);
                if (arguments.Groups == Grid.DimX)
                {
                    AddShares(arguments, arguments.Tag + layer);
                }

                // While numbers travel, weights do, too; but so that nobody's numbers wait for them long.
                output.Place = here[(int)LayerArray.OutProj];
                Load(arguments.Origin, output.Place, output.Unit(warp), outWeights);
                if (isLast)
                {
                    LoadEarly(arguments.Origin, head.Place, head.Row(warp), inWeights);
                }
                else
                {
                    LoadEarly(arguments.Origin, later[(int)LayerArray.InProj], input.Unit(warp), inWeights);
                    Prefetch(arguments, share, later, next);
                }

                AdvanceStates(arguments, share, here, layer, projected, mixed.Cast<float>(), gates);
                if (arguments.IsWide == 0)
                {
                    LoadNext(arguments, input, head, later, isLast, inWeights);
                }

                ReceiveGated(arguments, arguments.Tag + layer, vector.Cast<float>());
                Multiply(arguments.Origin, output, output.Unit(warp), vector, outWeights, sums, 1f, false);
                LoadNorms(arguments, isLast ? arguments.FinalNormPlace : later[(int)LayerArray.Norm], norms);
                Group.Barrier();
                SendResidual(arguments, share, here[(int)LayerArray.OutBias], arguments.Tag + layer + 1, sums, residual);
                if (!isLast)
                {
                    convolved = Shift(arguments, share, later, next);
                }

                if (arguments.IsWide != 0)
                {
                    LoadNext(arguments, input, head, later, isLast, inWeights);
                }
            }
        }
        else
        {
            LoadNorms(arguments, arguments.FinalNormPlace, norms);
            LoadEarly(arguments.Origin, head.Place, head.Row(warp), inWeights);
            LoadLate(arguments.Origin, head.Place, head.Row(warp), inWeights);
            for (int layer = 0; layer < arguments.Layers; layer++)
            {
                AddShares(arguments, arguments.Tag + layer);
            }
        }

        if (arguments.Logits.Length > 0)
        {
            ReceiveResidual(arguments, share, arguments.FinalNormPlace, arguments.Layers, norms, vector.Cast<float>(), residual, squares);
            Multiply(arguments.Origin, head, head.Row(warp), vector, inWeights, arguments.Logits, Scale(arguments, squares), true);
        }
    }

    /// <summary>Loads the rest of the first weights of the next layer, or of the head.</summary>
    [Inlined]
    private static void LoadNext(PersistentArguments arguments, WeightSlice input, WeightSlice head, ArrayView<long> later, bool isLast, Float4[] weights)
    {
        int warp = Group.IdxX >> 5;
        if (isLast)
        {
            LoadLate(arguments.Origin, head.Place, head.Row(warp), weights);
        }
        else
        {
            LoadLate(arguments.Origin, later[(int)LayerArray.InProj], input.Unit(warp), weights);
        }
    }

    /// <summary>Loads the norm's weights of the features that a thread receives first.</summary>
    [Inlined]
    private static void LoadNorms(PersistentArguments arguments, long norm, float[] norms)
    {
        for (int i = Unroll.From(0); i < WordsInFlight; i++)
        {
            norms[i] = 0f;
            if (Group.IdxX + (i * Group.DimX) < arguments.Features)
            {
                norms[i] = Entry(arguments, norm, Group.IdxX + (i * Group.DimX));
            }
        }
    }

    /// <summary>Receives the residual stream times the norm's weights, and sums its squares; before the first layer it is the token's embedding.</summary>
    [Inlined]
    private static void ReceiveResidual(
        PersistentArguments arguments, GroupShare share, long norm, int layer, float[] norms, ArrayView<float> vector, ArrayView<float> residual, ArrayView<float> squares)
    {
        if (layer > 0)
        {
            Settle(arguments.Residual, arguments.Features, arguments.Tag + layer);
        }

        float sum = 0;
        for (int start = Group.IdxX; start < arguments.Features; start += Group.DimX * WordsInFlight)
        {
            float[] weights = new float[WordsInFlight];
            float[] values = new float[WordsInFlight];
            for (int i = Unroll.From(0); i < WordsInFlight; i++)
            {
                weights[i] = norms[i];
                if (start > Group.IdxX && start + (i * Group.DimX) < arguments.Features)
                {
                    weights[i] = Entry(arguments, norm, start + (i * Group.DimX));
                }
            }

            if (layer == 0)
            {
                Embed(arguments, start, values);
            }
            else
            {
                Receive(arguments.Residual, start, Group.DimX, arguments.Features, arguments.Tag + layer, values);
            }

            for (int i = Unroll.From(0); i < WordsInFlight; i++)
            {
                int feature = start + (i * Group.DimX);
                if (feature < arguments.Features)
                {
                    sum += values[i] * values[i];
                    vector[VectorPlace(BFloat16, feature, arguments.Features)] = values[i] * weights[i];
                    if (layer == 0 && feature >= share.FirstFeature && feature < share.FirstFeature + share.Features)
                    {
                        residual[feature - share.FirstFeature] = values[i];
                    }
                }
            }
        }

        sum = Lanes.Sum(sum);
        if ((Group.IdxX & 31) == 0)
        {
            squares[Group.IdxX >> 5] = sum;
        }

        Group.Barrier();
    }

    [Inlined]
    private static void Embed(PersistentArguments arguments, int start, float[] values)
    {
        long row = arguments.EmbeddingPlace + ((long)arguments.Tokens[0] * arguments.FeaturePitch);
        for (int i = Unroll.From(0); i < WordsInFlight; i++)
        {
            values[i] = 0f;
            if (start + (i * Group.DimX) < arguments.Features)
            {
                values[i] = BFloat16 ? Half(arguments, row, start + (i * Group.DimX)) : Entry(arguments, row, start + (i * Group.DimX));
            }
        }
    }

    /// <summary>What the norm multiplies by, but for its weights.</summary>
    private static float Scale(PersistentArguments arguments, ArrayView<float> squares)
    {
        int lane = Group.IdxX & 31;
        float total = Lanes.Sum(lane < Group.DimX >> 5 ? squares[lane] : 0f);
        return XMath.Rsqrt((total / arguments.Count) + arguments.Epsilon);
    }

    /// <summary>Receives the gated output of all channels.</summary>
    [Inlined]
    private static void ReceiveGated(PersistentArguments arguments, int tag, ArrayView<float> vector)
    {
        Settle(arguments.Gated, arguments.Channels, tag);
        for (int start = Group.IdxX; start < arguments.Channels; start += Group.DimX * WordsInFlight)
        {
            float[] values = new float[WordsInFlight];
            Receive(arguments.Gated, start, Group.DimX, arguments.Channels, tag, values);
            for (int i = Unroll.From(0); i < WordsInFlight; i++)
            {
                int channel = start + (i * Group.DimX);
                if (channel < arguments.Channels)
                {
                    vector[VectorPlace(BFloat16, channel, arguments.Channels)] = values[i];
                }
            }
        }

        Group.Barrier();
    }

    /// <summary>Adds the group's rows of out_proj to its features of the residual stream, and sends them.</summary>
    [Inlined]
    private static void SendResidual(PersistentArguments arguments, GroupShare share, long bias, int tag, ArrayView<float> sums, ArrayView<float> residual)
    {
        int row = Group.IdxX;
        if (row < share.Features)
        {
            float value = residual[row] + RowSum(sums, row, arguments.OutParts);
            if (bias >= 0)
            {
                value += Entry(arguments, bias, share.FirstFeature + row);
            }

            residual[row] = value;
            Send(arguments.Residual, share.FirstFeature + row, value, tag);
        }
    }

    /// <summary>A float32 of an array.</summary>
    private static float Entry(PersistentArguments arguments, long place, long index) => arguments.Origin.Cast<float>()[(place * 4) + index];

    /// <summary>A bfloat16 of an array.</summary>
    private static float Half(PersistentArguments arguments, long place, long index) =>
        Interop.IntAsFloat((uint)arguments.Origin.Cast<ushort>()[(place * 8) + index] << 16);
}
