namespace Mamba.Managed.Layers;

/// <summary>x + mixer(norm(x)).</summary>
/// <param name="Norm">Before the mixer.</param>
/// <param name="Mixer">What mixes over time.</param>
public sealed record ResidualBlock(RmsNorm Norm, SelectiveStateSpaceModel Mixer) : IParameterTree<ResidualBlock>
{
    /// <summary>Runs the block over one sequence, on the calling thread.</summary>
    /// <param name="x">[length, d_model]</param>
    /// <param name="state">The mixer's state; moved on by the vectors.</param>
    /// <param name="y">[length, d_model]; must not overlap <paramref name="x"/>.</param>
    /// <exception cref="ArgumentException">The lengths do not agree, or the state has other sizes.</exception>
    public void Forward(ReadOnlySpan<float> x, MixerState state, Span<float> y)
    {
        Norm.Forward(x, y);
        Mixer.Forward(y, state, y);
        System.Numerics.Tensors.TensorPrimitives.Add(x, y, y);
    }

    /// <inheritdoc/>
    public ResidualBlock Map(string path, ParameterMap map) =>
        new(Norm.Map(path.Below("norm"), map), Mixer.Map(path.Below("mixer"), map));

    /// <summary>One line: the mixer.</summary>
    public override string ToString() => $"ResidualBlock of {Mixer}";
}
