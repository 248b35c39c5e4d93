using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Decode;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <summary>A group's channels: convolution, dt, B and C, states.</summary>
internal static partial class PersistentKernel
{
    /// <summary>Moves conv_state on by one token, all but the newest input; a thread has a channel and gets the sum over the older inputs and the bias.</summary>
    [Inlined]
    private static float Shift(PersistentArguments arguments, GroupShare share, ArrayView<long> places, int layer)
    {
        float sum = 0;
        if (Group.IdxX < share.Channels)
        {
            int channel = share.FirstChannel + Group.IdxX;
            long state = arguments.State(layer) + channel;
            for (int first = 0; first + 1 < arguments.Width; first += ShiftDepth)
            {
                // All are read before one is written, so that the reads do not wait for one another.
                float[] older = new float[ShiftDepth];
                float[] weights = new float[ShiftDepth];
                for (int i = Unroll.From(0); i < ShiftDepth; i++)
                {
                    older[i] = 0f;
                    weights[i] = 0f;
                    if (first + i + 1 < arguments.Width)
                    {
                        older[i] = arguments.Pool[state + ((long)(first + i + 1) * arguments.Channels)];
                        weights[i] = Entry(arguments, places[(int)LayerArray.ConvWeight], (channel * arguments.Width) + first + i);
                    }
                }

                for (int i = Unroll.From(0); i < ShiftDepth; i++)
                {
                    if (first + i + 1 < arguments.Width)
                    {
                        arguments.Pool[state + ((long)(first + i) * arguments.Channels)] = older[i];
                        sum += older[i] * weights[i];
                    }
                }
            }

            if (places[(int)LayerArray.ConvBias] >= 0)
            {
                sum += Entry(arguments, places[(int)LayerArray.ConvBias], channel);
            }
        }

        return sum;
    }

    /// <summary>Ends in_proj and the convolution, and sends the group's share of each row of x_proj.</summary>
    [Inlined]
    private static void ProjectShares(
        PersistentArguments arguments, GroupShare share, ArrayView<long> places, int layer, float convolved,
        ArrayView<float> sums, ArrayView<Float4> mixed, ArrayView<float> gates)
    {
        int row = Group.IdxX / arguments.RowThreads;
        int part = Group.IdxX - (row * arguments.RowThreads);
        int rows = Group.DimX / arguments.RowThreads;
        long weights = places[(int)LayerArray.XProj];
        Float4[] first = new Float4[ShareDepth];
        Float2[] firstHalf = new Float2[ShareDepth];
        for (int i = Unroll.From(0); i < ShareDepth; i++)
        {
            first[i] = default;
            firstHalf[i] = default;
            int quad = part + (i * arguments.RowThreads);
            if (row < arguments.Projections && 4 * quad < share.Channels)
            {
                if (BFloat16)
                {
                    firstHalf[i] = HalfQuad(arguments, share, weights, row, quad);
                }
                else
                {
                    first[i] = Quad(arguments, share, weights, row, quad);
                }
            }
        }

        Group.Barrier();
        Convolve(arguments, share, places, layer, convolved, sums, mixed.Cast<float>(), gates);
        Group.Barrier();
        for (int start = 0; start < arguments.Projections; start += rows)
        {
            float sum = 0;
            bool isLoaded = start == 0;
            for (int i = Unroll.From(0); i < ShareDepth; i++)
            {
                int quad = part + (i * arguments.RowThreads);
                if (isLoaded && 4 * quad < share.Channels)
                {
                    sum += BFloat16 ? BFloat16Pairs.Dot(firstHalf[i], mixed[quad]) : Dot(first[i], mixed[quad]);
                }
            }

            for (int quad = part + (isLoaded ? ShareDepth * arguments.RowThreads : 0); row + start < arguments.Projections && 4 * quad < share.Channels; quad += arguments.RowThreads)
            {
                sum += BFloat16
                    ? BFloat16Pairs.Dot(HalfQuad(arguments, share, weights, row + start, quad), mixed[quad])
                    : Dot(Quad(arguments, share, weights, row + start, quad), mixed[quad]);
            }

            for (int other = arguments.RowThreads / 2; other > 0; other /= 2)
            {
                sum += Warp.ShuffleXor(sum, other);
            }

            if (part == 0 && row + start < arguments.Projections)
            {
                Send(arguments.Shares, ((row + start) * arguments.Groups) + Grid.IdxX, sum, arguments.Tag + layer);
            }
        }
    }

    /// <summary>The rows of in_proj: a thread of the first half gives the convolution its newest input, one of the second half has a gate.</summary>
    private static void Convolve(
        PersistentArguments arguments, GroupShare share, ArrayView<long> places, int layer, float convolved,
        ArrayView<float> sums, ArrayView<float> mixed, ArrayView<float> gates)
    {
        int row = Group.IdxX;
        if (row < 2 * share.Channels)
        {
            bool isGate = row >= share.Channels;
            int channel = share.FirstChannel + (isGate ? row - share.Channels : row);
            float value = RowSum(sums, row, arguments.InParts);
            if (places[(int)LayerArray.InBias] >= 0)
            {
                value += Entry(arguments, places[(int)LayerArray.InBias], isGate ? arguments.Channels + channel : channel);
            }

            if (isGate)
            {
                gates[row - share.Channels] = Elementary.Silu(value);
            }
            else
            {
                int last = arguments.Width - 1;
                arguments.Pool[arguments.State(layer) + ((long)last * arguments.Channels) + channel] = value;
                mixed[row] = Elementary.Silu(convolved + (value * Entry(arguments, places[(int)LayerArray.ConvWeight], (channel * arguments.Width) + last)));
            }
        }
    }

    /// <summary>Adds up the groups' shares of rows of x_proj, a warp a row: groups without channels do, where there are some, since nothing else keeps them; else each does for some rows.</summary>
    [Inlined]
    private static void AddShares(PersistentArguments arguments, int tag)
    {
        Settle(arguments.Shares, arguments.Projections * arguments.Groups, tag);
        int lane = Group.IdxX & 31;
        int warps = Group.DimX >> 5;
        bool isSpare = arguments.Groups < Grid.DimX;
        int adders = isSpare ? Grid.DimX - arguments.Groups : arguments.Groups;
        int adder = isSpare ? Grid.IdxX - arguments.Groups : Grid.IdxX;
        for (int row = adder + ((warps - 1 - (Group.IdxX >> 5)) * adders); row < arguments.Projections; row += warps * adders)
        {
            float sum = 0;
            for (int start = lane; start < arguments.Groups; start += 32 * SharesInFlight)
            {
                float[] values = new float[SharesInFlight];
                Receive(arguments.Shares, (row * arguments.Groups) + start, 32, (row + 1) * arguments.Groups, tag, values);
                for (int i = Unroll.From(0); i < SharesInFlight; i++)
                {
                    sum += values[i];
                }
            }

            sum = Lanes.Sum(sum);
            if (lane == 0)
            {
                Send(arguments.Projected, row, sum, tag);
            }
        }
    }

    /// <summary>Receives dt, B and C, moves the group's states on and sends the gated output; a warp has a channel.</summary>
    [Inlined]
    private static void AdvanceStates(
        PersistentArguments arguments, GroupShare share, ArrayView<long> places, int layer, ArrayView<float> projected, ArrayView<float> mixed, ArrayView<float> gates)
    {
        int lane = Group.IdxX & 31;
        int warps = Group.DimX >> 5;
        int index = Group.IdxX >> 5;
        long states = arguments.State(layer) + ((long)arguments.Width * arguments.Channels);
        float[] weights = new float[RankDepth];
        LoadRank(arguments, share, places, index, lane, weights);
        float h = State(arguments, share, states, index, lane);
        float bias = ChannelEntry(arguments, share, places[(int)LayerArray.DtBias], index);
        float skip = ChannelEntry(arguments, share, places[(int)LayerArray.D], index);
        float rate = Rate(arguments, share, places, index, lane);
        Settle(arguments.Projected, arguments.Projections, arguments.Tag + layer);
        for (int start = Group.IdxX; start < arguments.Projections; start += Group.DimX * WordsInFlight)
        {
            float[] values = new float[WordsInFlight];
            Receive(arguments.Projected, start, Group.DimX, arguments.Projections, arguments.Tag + layer, values);
            for (int i = Unroll.From(0); i < WordsInFlight; i++)
            {
                if (start + (i * Group.DimX) < arguments.Projections)
                {
                    projected[start + (i * Group.DimX)] = values[i];
                }
            }
        }

        Group.Barrier();
        int b = arguments.Rank;
        int c = b + arguments.States;
        float rankScale = 1f;
        float bScale = 1f;
        float cScale = 1f;
        if (arguments.Norms.AreOn)
        {
            rankScale = arguments.Norms.RankScale(Squares(projected, 0, arguments.Rank, lane));
            bScale = arguments.Norms.StateScale(Squares(projected, b, arguments.States, lane));
            cScale = arguments.Norms.StateScale(Squares(projected, c, arguments.States, lane));
        }

        for (; index < share.Channels; index += warps)
        {
            int channel = share.FirstChannel + index;
            float sum = RankSum(arguments, places, channel, lane, weights, projected);
            float delta = Elementary.Softplus((Lanes.Sum(sum) * rankScale) + bias);
            float u = mixed[index];
            float y = 0;
            for (int n = lane; n < arguments.States; n += 32)
            {
                long place = states + ((long)channel * arguments.States) + n;
                h = n < 32 ? h : arguments.Pool[place];
                rate = n < 32 ? rate : Entry(arguments, places[(int)LayerArray.A2], (channel * arguments.States) + n);
                float decay = XMath.Exp2(delta * rate);
                h = (decay * h) + (delta * u * bScale * projected[b + n]);
                arguments.Pool[place] = h;
                y += h * projected[c + n];
            }

            y = (Lanes.Sum(y) * cScale) + (skip * u);
            if (lane == 0)
            {
                Send(arguments.Gated, channel, y * gates[index], arguments.Tag + layer);
            }

            LoadRank(arguments, share, places, index + warps, lane, weights);
            h = State(arguments, share, states, index + warps, lane);
            bias = ChannelEntry(arguments, share, places[(int)LayerArray.DtBias], index + warps);
            skip = ChannelEntry(arguments, share, places[(int)LayerArray.D], index + warps);
            rate = Rate(arguments, share, places, index + warps, lane);
        }
    }

    private static float ChannelEntry(PersistentArguments arguments, GroupShare share, long place, int index) =>
        index < share.Channels ? Entry(arguments, place, share.FirstChannel + index) : 0f;

    private static float Rate(PersistentArguments arguments, GroupShare share, ArrayView<long> places, int index, int lane) => index < share.Channels && lane < arguments.States
        ? Entry(arguments, places[(int)LayerArray.A2], ((long)(share.FirstChannel + index) * arguments.States) + lane)
        : 0f;

    /// <summary>Loads the first weights of a channel's row of dt_proj, if the group has that channel.</summary>
    [Inlined]
    private static void LoadRank(PersistentArguments arguments, GroupShare share, ArrayView<long> places, int index, int lane, float[] weights)
    {
        for (int i = Unroll.From(0); i < RankDepth; i++)
        {
            weights[i] = 0f;
            if (index < share.Channels && lane + (32 * i) < arguments.Rank)
            {
                weights[i] = RankWeight(arguments, places[(int)LayerArray.DtProj], share.FirstChannel + index, lane + (32 * i));
            }
        }
    }

    /// <summary>A thread's share of a channel's row of dt_proj times dt.</summary>
    [Inlined]
    private static float RankSum(PersistentArguments arguments, ArrayView<long> places, int channel, int lane, float[] weights, ArrayView<float> projected)
    {
        float sum = 0;
        for (int i = Unroll.From(0); i < RankDepth; i++)
        {
            // Beyond the rank the weight is zero, and B lies there.
            sum += weights[i] * projected[IntrinsicMath.Min(lane + (32 * i), arguments.Rank)];
        }

        for (int k = lane + (32 * RankDepth); k < arguments.Rank; k += 32)
        {
            sum += RankWeight(arguments, places[(int)LayerArray.DtProj], channel, k) * projected[k];
        }

        return sum;
    }

    private static float State(PersistentArguments arguments, GroupShare share, long states, int index, int lane) =>
        index < share.Channels && lane < arguments.States ? arguments.Pool[states + ((long)(share.FirstChannel + index) * arguments.States) + lane] : 0f;

    private static float Squares(ArrayView<float> values, int start, int length, int lane)
    {
        float sum = 0;
        for (int i = lane; i < length; i += 32)
        {
            sum += values[start + i] * values[start + i];
        }

        return Lanes.Sum(sum);
    }

    [Inlined]
    private static float RankWeight(PersistentArguments arguments, long place, int channel, int index) => BFloat16
        ? Half(arguments, place, ((long)channel * arguments.RankPitch * 8) + index)
        : Entry(arguments, place, ((long)channel * arguments.RankPitch * 4) + index);

    /// <summary>Four weights of a row of x_proj, for the i-th four of the group's channels.</summary>
    private static Float4 Quad(PersistentArguments arguments, GroupShare share, long place, int row, int i) =>
        arguments.Origin[place + ((long)row * arguments.ChannelPitch) + (share.FirstChannel / 4) + i];

    /// <summary>The same in bfloat16.</summary>
    private static Float2 HalfQuad(PersistentArguments arguments, GroupShare share, long place, int row, int i) =>
        arguments.Origin.Cast<Float2>()[((place + ((long)row * arguments.ChannelPitch)) * 2) + (share.FirstChannel / 4) + i];
}
