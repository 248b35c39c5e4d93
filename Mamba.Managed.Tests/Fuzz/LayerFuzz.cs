using CommunityToolkit.HighPerformance;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;

namespace Mamba.Managed.Tests.Fuzz;

/// <summary>Layers alone: made, copied with other parts, mapped, and run over rows of nearly the right shapes.</summary>
internal static class LayerFuzz
{
    public static Action<Draw>[] All { get; } = [Linear, Norm, Convolution, Embedding, Vocabulary, Mixer, Mixer, Block, Blocks];

    private static void Linear(Draw draw)
    {
        (int inputs, int outputs, int rows) = (draw.Size(40), draw.Size(40), draw.Size());
        Linear layer = new(draw.Tensor(outputs, inputs), draw.Once(2) ? draw.Tensor(outputs) : null);
        layer = draw.Once(2) ? layer : layer with { Weight = draw.Tensor(outputs, inputs) };
        layer = draw.Once(2) ? layer : layer with { Bias = draw.Tensor(outputs) };
        FuzzPart.Try(() =>
        {
            Span2D<float> x = draw.Rows(rows, inputs), y = draw.Rows(rows, outputs);
            layer.Forward(x, y);
            FuzzPart.Require(
                layer.Weight.HasShape(y.Width, x.Width) && x.Height == y.Height && (layer.Bias?.HasShape(y.Width) ?? true), "a refusal of shapes that do not agree");
        });
        layer.Map(draw.Path(), draw.Map(3)).Forward(draw.Rows(rows, inputs), draw.Rows(rows, outputs));
        Describe(layer);
    }

    private static void Norm(Draw draw)
    {
        (int features, int rows) = (draw.Size(70), draw.Size());
        RmsNorm layer = new(draw.Tensor(features), draw.Number(1e-5f));
        layer = draw.Once(2) ? layer : layer with { Weight = draw.Tensor(features), Epsilon = draw.Number(1e-5f) };
        FuzzPart.Try(() =>
        {
            Span2D<float> x = draw.Rows(rows, features), y = draw.Rows(rows, features);
            layer.Forward(x, y);
            FuzzPart.Require(layer.Weight.HasShape(y.Width) && x.Width == y.Width && x.Height == y.Height, "a refusal of shapes that do not agree");
        });
        layer.Map(draw.Path(), draw.Map(3)).Forward(draw.Rows(rows, features), draw.Rows(rows, features));
        Describe(layer);
    }

    private static void Convolution(Draw draw)
    {
        (int channels, int length, int rows) = (draw.Size(70), draw.Size(6), draw.Size());
        CausalConv1d layer = new(draw.Tensor(channels, 1, length), draw.Once(2) ? draw.Tensor(channels) : null);
        layer = draw.Once(2) ? layer : layer with { Weight = draw.Tensor(channels, 1, length) };
        layer = draw.Once(2) ? layer : layer with { Bias = draw.Tensor(channels) };
        FuzzPart.Try(() =>
        {
            Span2D<float> x = draw.Rows(rows, channels), window = draw.Rows(length, channels), y = draw.Rows(rows, channels);
            layer.Forward(x, window, y);
            FuzzPart.Require(
                layer.Weight.HasShape(y.Width, 1, window.Height) && x.Width == y.Width && x.Height == y.Height && window.Width == x.Width && (layer.Bias?.HasShape(y.Width) ?? true),
                "a refusal of shapes that do not agree");
        });
        layer.Map(draw.Path(), draw.Map(3)).Forward(draw.Rows(rows, channels), draw.Rows(length, channels), draw.Rows(rows, channels));
        Describe(layer);
    }

    private static void Embedding(Draw draw)
    {
        (int tokens, int features, int rows) = (draw.Size(70), draw.Size(40), draw.Size());
        Embedding layer = new(draw.Tensor(tokens, features));
        layer = draw.Once(2) ? layer : layer with { Weight = draw.Tensor(tokens, features) };
        FuzzPart.Try(() =>
        {
            int[] ids = draw.Tokens(rows, tokens);
            Span2D<float> y = draw.Rows(rows, features);
            layer.Forward(ids, y);
            FuzzPart.Require(ids.Length == y.Height && layer.Weight.Shape[1] == y.Width && ids.All(id => (uint)id < (uint)layer.Weight.Shape[0]), "a refusal of ids or shapes that do not fit");
        });
        layer.Map(draw.Path(), draw.Map(3)).Forward(draw.Tokens(draw.Length(rows), tokens), draw.Rows(rows, features));
        Describe(layer);
    }

    private static void Vocabulary(Draw draw)
    {
        (int tokens, int features, int rows) = (draw.Size(70), draw.Size(40), draw.Size());
        Shared layer = new(new(draw.Tensor(tokens, features)), draw.Once(2) ? new(draw.Tensor(tokens, features)) : null);
        layer = draw.Once(2) ? layer : layer with { Embedding = draw.Once(20) ? null! : new(draw.Tensor(tokens, features)) };
        layer = draw.Once(2) ? layer : layer with { Head = draw.Once(20) ? null : new(draw.Tensor(tokens, features)) };
        FuzzPart.Try(() => layer.Embed(draw.Tokens(rows, tokens), draw.Rows(rows, features)));
        layer.Map(draw.Path(), draw.Map(3)).Project(draw.Rows(rows, features), draw.Rows(rows, tokens));
        Describe(layer);
    }

    private static void Mixer(Draw draw)
    {
        MambaConfig config = draw.Config();
        SelectiveStateSpaceModel layer = Changed(draw.Model(config).Layers[0].Mixer, draw);
        using MixerState state = layer.CreateState();
        for (int i = 0; i < 3; i++)
        {
            int rows = draw.Size(70);
            FuzzPart.Try(() => layer.Forward(draw.Rows(rows, config.DModel), state, draw.Rows(rows, config.DModel)));
            layer = draw.Once(3) ? FuzzPart.Try(() => layer.Map(draw.Path(), draw.Map(4))) ?? layer : Changed(layer, draw);
        }

        Describe(layer);
    }

    private static void Block(Draw draw)
    {
        MambaConfig config = draw.Config();
        ResidualBlock layer = draw.Model(config).Layers[0];
        using MixerState state = layer.Mixer.CreateState();
        layer = draw.Once(2) ? layer with { Mixer = Changed(layer.Mixer, draw) } : new ResidualBlock(layer.Norm, Changed(layer.Mixer, draw));
        layer = draw.Once(2) ? layer : layer with { Norm = draw.Once(20) ? null! : layer.Norm with { Weight = draw.Tensor(config.DModel) } };
        int rows = draw.Size(70);
        FuzzPart.Try(() => layer.Forward(draw.Rows(rows, config.DModel), state, draw.Rows(rows, config.DModel)));
        layer.Map(draw.Path(), draw.Map(5)).Forward(draw.Rows(rows, config.DModel), state, draw.Rows(rows, config.DModel));
        Describe(layer);
    }

    private static void Blocks(Draw draw)
    {
        MambaConfig config = draw.Config();
        Sequential layer = draw.Model(config).Layers;
        MixerState[] states = [.. layer.Select(block => block.Mixer.CreateState())];
        layer = Changed(layer, draw);
        if (draw.Once(8))
        {
            states[draw.Below(states.Length)] = draw.Once(2) ? null! : states[0];
        }

        if (draw.Once(8))
        {
            states[draw.Below(states.Length)]?.Dispose();
        }

        int rows = draw.Size(70);
        FuzzPart.Try(() => layer.Forward(draw.Rows(rows, config.DModel), states.AsSpan(0, Math.Min(draw.Length(states.Length), states.Length)), draw.Rows(rows, config.DModel)));
        layer.Map(draw.Path(), draw.Map(9)).Forward(draw.Rows(rows, config.DModel), states, draw.Rows(rows, config.DModel));
        Describe(layer);
        _ = layer[draw.Integer(0)];
    }

    /// <summary>Another list of blocks.</summary>
    public static Sequential Changed(Sequential layers, Draw draw)
    {
        List<ResidualBlock> blocks = [.. layers.Blocks];
        int at = draw.Below(blocks.Count);
        switch (draw.Below(8))
        {
            case 0:
                blocks.RemoveAt(at);
                break;
            case 1:
                blocks.Add(blocks[at]);
                break;
            case 2:
                blocks[at] = null!;
                break;
            case 3:
                blocks[at] = draw.Model().Layers[0];
                break;
            case 4:
                blocks[at] = blocks[at] with { Mixer = draw.Once(9) ? null! : Changed(blocks[at].Mixer, draw) };
                break;
            default:
                return layers;
        }

        return draw.Once(2) ? layers with { Blocks = draw.Once(20) ? null! : blocks } : new Sequential(blocks);
    }

    /// <summary>A mixer of which one part has changed, mostly to a tensor of the same shape.</summary>
    public static SelectiveStateSpaceModel Changed(SelectiveStateSpaceModel mixer, Draw draw) => draw.Below(12) switch
    {
        0 => mixer with { ALog = Like(mixer.ALog, draw) },
        1 => mixer with { D = Like(mixer.D, draw) },
        2 => mixer with { InProj = Changed(mixer.InProj, draw) },
        3 => mixer with { XProj = Changed(mixer.XProj, draw) },
        4 => mixer with { DtProj = Changed(mixer.DtProj, draw) },
        5 => mixer with { OutProj = Changed(mixer.OutProj, draw) },
        6 => mixer with { Conv1d = draw.Once(12) || mixer.Conv1d is null ? null! : mixer.Conv1d with { Weight = Like(mixer.Conv1d.Weight, draw) } },
        7 => mixer with { Conv1d = mixer.Conv1d is null ? null! : mixer.Conv1d with { Bias = draw.Tensor(draw.Size(80)) } },
        8 => mixer with { MixerNormEpsilon = draw.Number(1e-5f) },
        9 => new(mixer.InProj, mixer.Conv1d, mixer.XProj, mixer.DtProj, Like(mixer.ALog, draw), Like(mixer.D, draw), mixer.OutProj),
        _ => mixer,
    };

    private static Linear Changed(Linear? layer, Draw draw) => layer is null || draw.Once(12)
        ? null!
        : draw.Once(4) ? layer with { Bias = draw.Once(3) ? null : draw.Tensor(draw.Size(80)) } : layer with { Weight = Like(layer.Weight, draw) };

    private static Managed.Tensors.Tensor Like(Managed.Tensors.Tensor? tensor, Draw draw) => draw.Tensor(tensor is null ? [1, 1] : tensor.Shape.ToArray());

    private static void Describe<T>(IParameterTree<T> layer)
        where T : class
    {
        _ = layer.ToString() + layer.GetHashCode();
        FuzzPart.Try(() => _ = layer.Parameters("path").Count);
    }
}
