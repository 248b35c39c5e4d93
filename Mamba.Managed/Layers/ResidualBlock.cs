using System.Numerics.Tensors;
using CommunityToolkit.HighPerformance;

namespace Mamba.Managed.Layers;

/// <summary>x + mixer(norm(x)).</summary>
public sealed record ResidualBlock : IParameterTree<ResidualBlock>
{
    /// <summary>Makes a block of its layers.</summary>
    /// <param name="norm">Before the mixer.</param>
    /// <param name="mixer">What mixes over time.</param>
    /// <exception cref="ArgumentException">Norm and mixer are of different widths.</exception>
    public ResidualBlock(RmsNorm norm, SelectiveStateSpaceModel mixer)
    {
        (Norm, Mixer) = (norm, mixer);
        Validate("");
    }

    /// <summary>Before the mixer.</summary>
    public RmsNorm Norm
    {
        get;
        init => field = ShapeCheck.Present(value);
    }

    /// <summary>What mixes over time.</summary>
    public SelectiveStateSpaceModel Mixer
    {
        get;
        init => field = ShapeCheck.Present(value);
    }

    /// <summary>Runs the block over one sequence, on the calling thread.</summary>
    /// <param name="x">[length, d_model]</param>
    /// <param name="state">The mixer's state; advanced by the vectors.</param>
    /// <param name="y">[length, d_model]; must not overlap <paramref name="x"/>.</param>
    /// <exception cref="ArgumentException">The shapes do not agree, or the state has other sizes.</exception>
    public void Forward(ReadOnlySpan2D<float> x, MixerState state, Span2D<float> y)
    {
        Validate("");
        Norm.Forward(x, y);
        Mixer.Forward(y, state, y);
        for (int row = 0; row < x.Height; row++)
        {
            TensorPrimitives.Add(x.GetRowSpan(row), y.GetRowSpan(row), y.GetRowSpan(row));
        }
    }

    /// <inheritdoc/>
    public ResidualBlock Map(string path, ParameterMap map)
    {
        ResidualBlock mapped = MapDescribed(path, map.Described());
        mapped.Validate(path);
        return mapped;
    }

    /// <summary>One line: the mixer.</summary>
    public override string ToString() => $"ResidualBlock of {Mixer}";

    internal ResidualBlock MapDescribed(string path, DescribedMap map) => this with
    {
        Norm = Norm.MapDescribed(path.Below("norm"), map),
        Mixer = Mixer.MapDescribed(path.Below("mixer"), map),
    };

    internal void Validate(string path)
    {
        Mixer.Validate(path.Below("mixer"));
        Norm.Validate(path.Below("norm"), Mixer.DModel);
    }
}
