using System.Runtime.InteropServices;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.ILGPU.Benchmarks.Suites;

/// <summary>Models of the published sizes with random weights, drawn quickly: what they compute means nothing, what they cost is the same.</summary>
internal static class RandomModel
{
    public const string Small = "130m";
    public const string Large = "1.4b";

    private const int Vocabulary = 50280;
    private const int Block = 1 << 16;

    private static readonly Dictionary<(MambaConfig, ElementType), MambaLanguageModel> drawn = [];

    /// <summary>The sizes of <see cref="Small"/> or <see cref="Large"/>, or tiny ones.</summary>
    public static MambaConfig Config(string name, bool isSmall) => isSmall ? new() { DModel = 32, NLayer = 2, VocabSize = 64 }
        : name == Small ? new() { DModel = 768, NLayer = 24, VocabSize = Vocabulary }
        : new() { DModel = 2048, NLayer = 48, VocabSize = Vocabulary };

    /// <summary>The same model each time.</summary>
    public static MambaLanguageModel Of(MambaConfig config, ElementType type)
    {
        if (!drawn.TryGetValue((config, type), out MambaLanguageModel? model))
        {
            model = MambaLanguageModel.FromTensors(config, Tensors(config, type));
            drawn.Add((config, type), model);
        }

        return model;
    }

    /// <summary>Lets the memory of all models go.</summary>
    public static void Forget() => drawn.Clear();

    /// <summary>Ids of the vocabulary, the same for the same seed.</summary>
    public static int[] Tokens(MambaConfig config, int count, int seed = 1)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(config.VocabSize))];
    }

    private static Dictionary<string, Tensor> Tensors(MambaConfig config, ElementType type)
    {
        (int width, int inner, int rank, int states) = (config.DModel, config.DInner, config.DtRank, config.DState);
        Dictionary<string, Tensor> tensors = new()
        {
            ["backbone.embeddings.weight"] = Uniform(type, 0, 0.1f, 0, config.VocabSize, width),
            ["backbone.norm_f.weight"] = Uniform(type, 1, 0.2f, 1, width),
        };
        for (int layer = 0; layer < config.NLayer; layer++)
        {
            string block = FormattableString.Invariant($"backbone.layers.{layer}.");
            int seed = 100 * (layer + 1);
            tensors[block + "norm.weight"] = Uniform(type, seed, 0.2f, 1, width);
            tensors[block + "mixer.in_proj.weight"] = Uniform(type, seed + 1, Spread(width), 0, 2 * inner, width);
            tensors[block + "mixer.conv1d.weight"] = Uniform(type, seed + 2, 0.5f, 0, inner, 1, config.DConv);
            tensors[block + "mixer.conv1d.bias"] = Uniform(type, seed + 3, 0.1f, 0, inner);
            tensors[block + "mixer.x_proj.weight"] = Uniform(type, seed + 4, Spread(inner), 0, rank + (2 * states), inner);
            tensors[block + "mixer.dt_proj.weight"] = Uniform(type, seed + 5, Spread(rank), 0, inner, rank);
            tensors[block + "mixer.dt_proj.bias"] = Uniform(type, seed + 6, 0.8f, -3.5f, inner);
            tensors[block + "mixer.A_log"] = Uniform(type, seed + 7, 0.8f, 1.4f, inner, states);
            tensors[block + "mixer.D"] = Uniform(type, seed + 8, 0.3f, 1, inner);
            tensors[block + "mixer.out_proj.weight"] = Uniform(type, seed + 9, Spread(inner), 0, width, inner);
        }

        return tensors;
    }

    private static float Spread(int inputs) => 1 / MathF.Sqrt(inputs);

    /// <summary>Numbers with a standard deviation about a mean.</summary>
    private static Tensor Uniform(ElementType type, int seed, float deviation, float mean, params ReadOnlySpan<int> shape)
    {
        int count = 1;
        foreach (int dimension in shape)
        {
            count *= dimension;
        }

        float[] values = new float[count];
        Parallel.For(0, (count + Block - 1) / Block, block =>
        {
            Random random = new((seed * 100_000) + block);
            foreach (ref float value in values.AsSpan(block * Block, Math.Min(Block, count - (block * Block))))
            {
                value = mean + (deviation * 3.4641016f * (random.NextSingle() - 0.5f));
            }
        });
        if (type == ElementType.Float32)
        {
            return Tensor.FromFloats(values, shape);
        }

        ushort[] halves = new ushort[count];
        Parallel.For(0, (count + Block - 1) / Block, block =>
        {
            for (int i = block * Block; i < Math.Min(count, (block + 1) * Block); i++)
            {
                halves[i] = (ushort)(BitConverter.SingleToUInt32Bits(values[i]) >> 16);
            }
        });
        return Tensor.FromBytes(type, MemoryMarshal.AsBytes(halves.AsSpan()), shape);
    }
}
