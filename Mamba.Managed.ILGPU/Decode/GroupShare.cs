using ILGPU;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>What one group of <see cref="PersistentKernel"/> has of a model.</summary>
internal struct GroupShare
{
    public int FirstChannel;

    /// <summary>A multiple of 4; none for groups that only help with the head.</summary>
    public int Channels;

    public int FirstFeature;
    public int Features;

    /// <summary>The share of the running group.</summary>
    public static GroupShare Of(PersistentArguments arguments)
    {
        int group = Grid.IdxX;
        GroupShare share = default;
        if (group < arguments.Groups)
        {
            share.FirstChannel = Bound(group, arguments.Channels / 4, arguments.Groups) * 4;
            share.Channels = (Bound(group + 1, arguments.Channels / 4, arguments.Groups) * 4) - share.FirstChannel;
            share.FirstFeature = Bound(group, arguments.Features, arguments.Groups);
            share.Features = Bound(group + 1, arguments.Features, arguments.Groups) - share.FirstFeature;
        }

        return share;
    }

    /// <summary>The first of a number of things that a group has, if they are spread evenly.</summary>
    public static int Bound(int group, int things, int groups) => (int)((long)group * things / groups);

    /// <summary>The rows of in_proj: first those of the scan, then those of the gate.</summary>
    public readonly WeightSlice Input(PersistentArguments arguments, long place, bool bfloat16) => new()
    {
        Place = place, Pitch = arguments.FeaturePitch, Length = arguments.Features / (bfloat16 ? 8 : 4), Parts = arguments.InParts,
        Start = FirstChannel, Rows = 2 * Channels, Fold = Channels, Jump = arguments.Channels - Channels,
    };

    /// <summary>The rows of out_proj.</summary>
    public readonly WeightSlice Output(PersistentArguments arguments, long place, bool bfloat16) => new()
    {
        Place = place, Pitch = arguments.ChannelPitch, Length = arguments.Channels / (bfloat16 ? 8 : 4), Parts = arguments.OutParts,
        Start = FirstFeature, Rows = Features, Fold = Features, Jump = 0,
    };

    /// <summary>The rows of the head, of which every group has some.</summary>
    public readonly WeightSlice Head(PersistentArguments arguments, bool bfloat16)
    {
        int start = Bound(Grid.IdxX, arguments.Vocabulary, Grid.DimX);
        int rows = Bound(Grid.IdxX + 1, arguments.Vocabulary, Grid.DimX) - start;
        return new()
        {
            Place = arguments.HeadPlace, Pitch = arguments.FeaturePitch, Length = arguments.Features / (bfloat16 ? 8 : 4), Parts = 1,
            Start = start, Rows = rows, Fold = rows, Jump = 0,
        };
    }
}
